BEGIN
-- then
CREATE TEMP TABLE made ON COMMIT DROP AS SELECT a.grp, b.kind, count(*) AS n FROM a JOIN b ON b.id = a.b_id
  JOIN stale s ON s.a_id = a.grp GROUP BY 1, 2
-- then
SELECT * FROM made
-- then
COMMIT
