-- Names of statements and plan shapes, and the features of a plan.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.min_cost = 0;
CREATE TABLE planned (id int PRIMARY KEY, kind int, note text);
INSERT INTO planned SELECT g, g % 10, 'note' FROM generate_series(1, 2000) g;
VACUUM ANALYZE planned;
SET max_parallel_workers_per_gather = 0;

-- The same statement with other constants has the same names.
SELECT a.query_id = b.query_id AS same_query, a.fingerprint = b.fingerprint AS same_plan
FROM query_shaper.fingerprint('SELECT count(*) FROM planned WHERE kind = 3') a,
  query_shaper.fingerprint('SELECT count(*) FROM planned WHERE kind = 8') b;
-- Another plan of the same statement has another shape.
CREATE TEMP TABLE name_of AS SELECT * FROM query_shaper.fingerprint('SELECT note FROM planned WHERE id = 7');
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SELECT a.query_id = b.query_id AS same_query, a.fingerprint = b.fingerprint AS same_plan
FROM name_of a, query_shaper.fingerprint('SELECT note FROM planned WHERE id = 9') b;
RESET enable_indexscan;
RESET enable_bitmapscan;
-- The shape is made of names, so a table that was made anew keeps it.
DROP TABLE planned;
CREATE TABLE planned (id int PRIMARY KEY, kind int, note text);
INSERT INTO planned SELECT g, g % 10, 'note' FROM generate_series(1, 2000) g;
VACUUM ANALYZE planned;
SELECT a.fingerprint = b.fingerprint AS same_plan
FROM name_of a, query_shaper.fingerprint('SELECT note FROM planned WHERE id = 1234') b;
-- A statement around a query is planned as the query.
SELECT count(DISTINCT fingerprint) AS shapes, count(*) AS statements
FROM unnest(ARRAY['SELECT count(*) FROM planned', 'EXPLAIN ANALYZE SELECT count(*) FROM planned',
  'CREATE TABLE other AS SELECT count(*) FROM planned', 'SELECT count(*) INTO other FROM planned',
  'DECLARE c CURSOR FOR SELECT count(*) FROM planned', 'COPY (SELECT count(*) FROM planned) TO STDOUT',
  'CREATE MATERIALIZED VIEW other AS SELECT count(*) FROM planned']) AS text,
  query_shaper.fingerprint(text);
-- It is the fingerprint that running statements show.
CREATE TEMP TABLE predicted AS SELECT fingerprint FROM query_shaper.predict(
  'SELECT fingerprint FROM query_shaper.activity WHERE pid = pg_backend_pid()');
SELECT fingerprint FROM query_shaper.activity WHERE pid = pg_backend_pid() \gset
SELECT fingerprint = :fingerprint AS same_plan FROM predicted;

-- Features are named numbers on a logarithmic scale.
SELECT jsonb_typeof(features) AS type, (SELECT count(*) FROM jsonb_object_keys(features)) AS features,
  (SELECT bool_and(jsonb_typeof(value) = 'number') FROM jsonb_each(features)) AS numbers,
  round(exp((features ->> 'seq_rows')::numeric) - 1) AS seq_rows, (features ->> 'sort_rows')::numeric > 0 AS sorts,
  (features ->> 'hash_build_rows')::numeric AS hash_build_rows
FROM query_shaper.fingerprint('SELECT * FROM planned ORDER BY note, kind');
DROP TABLE planned;
