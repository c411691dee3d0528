BEGIN
-- then
CREATE TEMP TABLE made ON COMMIT DROP AS SELECT g AS id, g % 50 AS k FROM generate_series(1, 3000) g
-- then
SELECT m.k, count(*) FROM made m JOIN a ON a.grp = m.k JOIN b ON b.id = a.b_id GROUP BY 1
-- then
COMMIT
