BEGIN
-- then
SELECT open_rows({n} % 37)
-- then
FETCH 4 FROM opened
-- then
SAVEPOINT s
-- then
FETCH ALL FROM opened
-- then
ROLLBACK TO s
-- then
FETCH BACKWARD 2 FROM opened
-- then
ABORT
