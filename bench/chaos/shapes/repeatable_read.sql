BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY
-- then
SELECT count(*), sum(s.v) FROM a JOIN stale s ON s.a_id = a.id JOIN b ON b.id = a.b_id
-- then
COMMIT
