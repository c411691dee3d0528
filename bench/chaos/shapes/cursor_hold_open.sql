BEGIN
-- then
DECLARE k CURSOR WITH HOLD FOR SELECT a.grp, count(*), sum(b.kind) FROM a JOIN b ON b.id = a.b_id
  JOIN stale s ON s.a_id = a.grp GROUP BY 1 ORDER BY 1
-- then
COMMIT
-- then
FETCH 5 FROM k
-- then
FETCH ALL FROM k
-- then
CLOSE k
