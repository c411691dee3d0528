BEGIN
-- then
CREATE TEMP TABLE made ON COMMIT DROP AS SELECT g AS grp FROM generate_series(1, 9) g
-- then
CREATE INDEX ON made (kinds_of(grp))
-- then
SELECT grp, kinds_of(grp) FROM made
-- then
COMMIT
