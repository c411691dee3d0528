BEGIN
-- then
SAVEPOINT s
-- then
SELECT count(*) FROM a JOIN stale s ON s.a_id = a.grp
-- then
ROLLBACK TO s
-- then
SELECT count(*) FROM a JOIN b ON b.id = a.b_id
-- then
RELEASE s
-- then
COMMIT
