BEGIN
-- then
DECLARE k SCROLL CURSOR FOR SELECT a.id, b.kind, a.n FROM a JOIN b ON b.id = a.b_id
  JOIN stale s ON s.a_id = a.grp WHERE a.grp < 9 ORDER BY a.n, a.id, s.id
-- then
FETCH 20 FROM k
-- then
FETCH BACKWARD 5 FROM k
-- then
FETCH LAST FROM k
-- then
FETCH ABSOLUTE 3 FROM k
-- then
FETCH ALL FROM k
-- then
COMMIT
