BEGIN
-- then
CREATE MATERIALIZED VIEW made AS SELECT kind, label, count(*) AS n FROM joined GROUP BY 1, 2
-- then
SELECT * FROM made
-- then
REFRESH MATERIALIZED VIEW made
-- then
SELECT count(*) FROM made
-- then
DROP MATERIALIZED VIEW made
-- then
COMMIT
