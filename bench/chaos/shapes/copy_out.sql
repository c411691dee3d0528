BEGIN
-- then
CREATE TEMP TABLE made (x text) ON COMMIT DROP
-- then
COPY (SELECT a.id, b.kind FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = a.grp) TO PROGRAM 'cat >/dev/null'
-- then
COMMIT
