BEGIN
-- then
PREPARE p(int) AS SELECT a.id, b.kind FROM a JOIN b ON b.id = a.b_id WHERE a.grp < $1
-- then
CREATE TEMP TABLE made ON COMMIT DROP AS EXECUTE p(11)
-- then
SELECT count(*), sum(kind) FROM made
-- then
DEALLOCATE p
-- then
COMMIT
