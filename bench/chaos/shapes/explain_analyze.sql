BEGIN
-- then
CREATE TEMP TABLE made (n int) ON COMMIT DROP
-- then
DO $$ DECLARE line text; BEGIN FOR line IN EXECUTE 'EXPLAIN (ANALYZE, BUFFERS) SELECT count(*) FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = a.grp' LOOP IF line ~ '^Execution Time' THEN INSERT INTO made VALUES (1); END IF; END LOOP; END $$
-- then
SELECT * FROM made
-- then
COMMIT
