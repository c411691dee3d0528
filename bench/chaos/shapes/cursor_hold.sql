BEGIN
-- then
DECLARE k CURSOR WITH HOLD FOR SELECT a.id, b.kind, a.n FROM a JOIN b ON b.id = a.b_id
  JOIN stale s ON s.a_id = a.grp WHERE a.grp < 9 ORDER BY a.n, a.id, s.id
-- then
FETCH 3 FROM k
-- then
COMMIT
-- then
FETCH ALL FROM k
-- then
CLOSE k
