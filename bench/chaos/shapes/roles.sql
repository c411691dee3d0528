BEGIN
-- then
SET LOCAL ROLE chaos_reader
-- then
SELECT b.kind, count(*) FROM a JOIN b ON b.id = a.b_id JOIN guarded g ON g.a_id = a.id GROUP BY 1
-- then
RESET ROLE
-- then
SELECT count(*) FROM a JOIN guarded g ON g.a_id = a.id
-- then
COMMIT
