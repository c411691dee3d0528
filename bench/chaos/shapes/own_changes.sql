BEGIN
-- then
INSERT INTO stale SELECT g, g % 40, 7 FROM generate_series(90000, 92000) g
-- then
SELECT s.v, count(*) FROM stale s JOIN a ON a.grp = s.a_id GROUP BY 1
-- then
DELETE FROM stale WHERE v = 7
-- then
SELECT s.v, count(*) FROM stale s JOIN a ON a.grp = s.a_id GROUP BY 1
-- then
ROLLBACK
