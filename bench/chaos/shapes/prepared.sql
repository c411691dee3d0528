PREPARE p(int) AS SELECT a.grp, b.kind, count(*) FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = a.grp
  WHERE a.grp > $1 GROUP BY 1, 2
-- then
EXECUTE p(1)
-- then
EXECUTE p(5)
-- then
EXECUTE p(9)
-- then
EXECUTE p(30)
-- then
EXECUTE p(2)
-- then
EXECUTE p(17)
-- then
EXECUTE p(1)
-- then
DEALLOCATE p
