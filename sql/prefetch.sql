-- Partition hints and access patterns: who may say and see what.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
CREATE TABLE parts (id int PRIMARY KEY, v int);
CREATE MATERIALIZED VIEW parts_view AS SELECT * FROM parts;
CREATE VIEW parts_plain AS SELECT * FROM parts;
CREATE TEMP TABLE parts_temp (id int);
SELECT query_shaper.set_partition_hint('parts', 'strided', 8, 'orders by day', '{"source": "design"}');
SELECT query_shaper.set_partition_hint('parts_view', 'random');
SELECT * FROM query_shaper.partition_hints ORDER BY relation::text;
SELECT relation, index_name, pattern, extent_blocks, hit_ratio, wasted_ratio, transitions, hinted
FROM query_shaper.access_patterns WHERE relation LIKE '%parts%' ORDER BY relation;
-- The last word counts.
SELECT query_shaper.set_partition_hint('parts', 'clustered', metadata => NULL);
SELECT * FROM query_shaper.partition_hints WHERE relation = 'parts'::regclass;
SELECT query_shaper.drop_partition_hint('parts');
SELECT query_shaper.drop_partition_hint('parts');
SELECT count(*) FROM query_shaper.partition_hints WHERE relation = 'parts'::regclass;

-- What is no hint.
SELECT query_shaper.set_partition_hint('parts', 'zigzag');
SELECT query_shaper.set_partition_hint('parts', NULL);
SELECT query_shaper.set_partition_hint('parts', 'strided', 0);
SELECT query_shaper.set_partition_hint('parts', 'strided', 200000);
SELECT query_shaper.set_partition_hint('parts', 'strided', metadata => '[]');
SELECT query_shaper.set_partition_hint('parts_plain', 'strided');
SELECT query_shaper.set_partition_hint('parts_temp', 'strided');
SELECT query_shaper.set_partition_hint('parts_pkey', 'strided');
SELECT query_shaper.set_partition_hint(4294967295::oid, 'strided');
SELECT query_shaper.drop_partition_hint(4294967295::oid);

-- Owners alone.
CREATE ROLE parts_owner;
CREATE ROLE parts_reader;
CREATE ROLE parts_stranger;
ALTER TABLE parts OWNER TO parts_owner;
GRANT SELECT ON parts TO parts_reader;
SET ROLE parts_reader;
SELECT query_shaper.set_partition_hint('parts', 'strided');
SELECT query_shaper.drop_partition_hint('parts');
SELECT query_shaper.set_partition_hint('pg_class', 'strided');
INSERT INTO query_shaper.partition_hint_data VALUES ('parts', 'strided', 1, NULL, '{}');
SELECT * FROM query_shaper.access_pattern_data;
SELECT query_shaper._partition_hints_changed();
SET ROLE parts_owner;
SELECT query_shaper.set_partition_hint('parts', 'cyclic', 4);
SET ROLE parts_reader;
SELECT relation, access_pattern, suggested_blocks FROM query_shaper.partition_hints;
SELECT relation, pattern, hinted FROM query_shaper.access_patterns;
SET ROLE parts_stranger;
SELECT count(*) FROM query_shaper.partition_hints;
SELECT count(*) FROM query_shaper.access_patterns;
RESET ROLE;
-- Row security hides where rows are.
ALTER TABLE parts ENABLE ROW LEVEL SECURITY;
SET ROLE parts_reader;
SELECT count(*) FROM query_shaper.access_patterns;
RESET ROLE;

-- For one statement.
SET query_shaper.partition_hint = 'sequential';
SET query_shaper.partition_hint = 'parts=strided:8, public.parts_view = random';
SHOW query_shaper.partition_hint;
SET query_shaper.partition_hint = 'parts=zigzag';
SET query_shaper.partition_hint = 'strided:0';
SET query_shaper.partition_hint = '=strided';
SET query_shaper.partition_hint = 'parts=strided:8:9';
RESET query_shaper.partition_hint;
SET query_shaper.prefetch_distance = 0;
SET query_shaper.prefetch = sometimes;
SHOW query_shaper.prefetch;
SHOW query_shaper.prefetch_stagers;
SET query_shaper.prefetch_stagers = 1;
ALTER SYSTEM SET query_shaper.prefetch_stagers = 9;
SELECT relation, first_block, blocks, state, hits, likelihood, pid, predicted_at FROM query_shaper.staging;
CREATE ROLE parts_watcher;
SET ROLE parts_watcher;
SELECT count(*) FROM query_shaper.staging;
RESET ROLE;
DROP ROLE parts_watcher;
SET query_shaper.access_patterns_max = 20;

DROP TABLE parts CASCADE;
DROP ROLE parts_owner, parts_reader, parts_stranger;
SELECT count(*) FROM query_shaper.partition_hints;
