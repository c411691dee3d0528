BEGIN
-- then
CREATE TEMP TABLE made (id int, k int) ON COMMIT DROP
-- then
WITH put AS (INSERT INTO made SELECT a.id, b.kind FROM a JOIN b ON b.id = a.b_id RETURNING id, k) SELECT put.k,
  count(*) FROM put JOIN stale s ON s.a_id = put.k GROUP BY 1
-- then
SELECT count(*) FROM made
-- then
COMMIT
