BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE
-- then
SELECT b.kind, count(*) FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = a.id GROUP BY 1
-- then
COMMIT
