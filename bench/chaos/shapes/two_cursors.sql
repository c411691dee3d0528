BEGIN
-- then
DECLARE k CURSOR FOR SELECT a.id, b.kind, a.n FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = a.grp
  WHERE a.grp < 9 ORDER BY a.n, a.id, s.id
-- then
DECLARE m CURSOR FOR SELECT b.id FROM b JOIN c ON c.id = b.c_id ORDER BY 1
-- then
FETCH 5 FROM k
-- then
FETCH 5 FROM m
-- then
FETCH ALL FROM k
-- then
FETCH ALL FROM m
-- then
COMMIT
