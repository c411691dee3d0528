BEGIN
-- then
DECLARE k CURSOR FOR SELECT a.id, b.kind, a.n FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = a.grp
  WHERE a.grp < 9 ORDER BY a.n, a.id, s.id
-- then
FETCH 10 FROM k
-- then
FETCH 500 FROM k
-- then
MOVE 30 IN k
-- then
FETCH ALL FROM k
-- then
CLOSE k
-- then
COMMIT
