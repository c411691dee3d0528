BEGIN
-- then
CREATE TEMP TABLE made (id int, k int) ON COMMIT DROP
-- then
INSERT INTO made SELECT a.id, b.kind FROM a JOIN b ON b.id = a.b_id
-- then
SELECT count(*), sum(k) FROM made
-- then
COMMIT
