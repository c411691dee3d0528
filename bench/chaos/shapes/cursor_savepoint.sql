BEGIN
-- then
DECLARE k CURSOR FOR SELECT a.id, b.kind, a.n FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = a.grp
  WHERE a.grp < 9 ORDER BY a.n, a.id, s.id
-- then
SAVEPOINT s
-- then
FETCH 7 FROM k
-- then
ROLLBACK TO s
-- then
FETCH 40 FROM k
-- then
COMMIT
