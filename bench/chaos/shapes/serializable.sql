BEGIN ISOLATION LEVEL SERIALIZABLE
-- then
SELECT a.grp, count(*) FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = a.id GROUP BY 1
-- then
SELECT count(*) FROM part p JOIN a ON a.id = p.a_id
-- then
COMMIT
