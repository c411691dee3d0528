BEGIN
-- then
DECLARE k NO SCROLL CURSOR FOR SELECT a.id, b.kind FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = a.grp
-- then
FETCH ALL FROM k
-- then
COMMIT
