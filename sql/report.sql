-- Reports of finished and running statements.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.min_cost = 0;
SET query_shaper.mode = off;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE reported (id int, note text);
INSERT INTO reported SELECT g, 'a <b> & "c"' FROM generate_series(1, 1000) g;
CREATE TABLE other (id int);
INSERT INTO other SELECT generate_series(1, 100);
ANALYZE reported, other;
SET enable_mergejoin = off;
SET enable_nestloop = off;
RESET query_shaper.mode;
SELECT count(*) FROM reported LEFT JOIN other USING (id) WHERE note <> '<script>';
SET query_shaper.mode = off;
SELECT query_shaper.flush();
SELECT query_id FROM query_shaper.history WHERE query LIKE 'SELECT count(*) FROM reported%' \gset

SELECT query_shaper.report(:query_id, 'json')::jsonb AS report \gset
SELECT report ->> 'query' AS query, report ->> 'state' AS state, report ->> 'calls' AS calls,
  (report ->> 'query_id')::bigint = :query_id AS query_id, (report ->> 'predicted_ms')::float8 > 0 AS predicted,
  (report ->> 'actual_ms')::float8 > 0 AS actual, (report ->> 'q_error')::float8 >= 1 AS q_error,
  jsonb_typeof(report -> 'trace') AS trace, jsonb_array_length(report -> 'predictions') AS predictions,
  report -> 'events' AS events
FROM (VALUES (:'report'::jsonb)) v(report);
SELECT node ->> 'depth' AS depth, node ->> 'operator' AS operator, node ->> 'relation' AS relation,
  node ->> 'estimated_rows' AS estimated
FROM jsonb_array_elements(:'report'::jsonb -> 'nodes') AS node;

-- The text's headings, and the plan's nodes without their figures.
SELECT line FROM regexp_split_to_table(query_shaper.report(:query_id), '\n') AS line
WHERE line ~ '^[A-Z]' AND line NOT LIKE 'Time left%';
SELECT count(*) AS nodes FROM regexp_split_to_table(query_shaper.report(:query_id, 'text'), '\n') AS line
WHERE line ~ '(Aggregate|Hash Left Join|Seq Scan on public.(reported|other)) ';
-- One page, everything escaped, nothing fetched.
SELECT page LIKE '<!DOCTYPE html>%</html>%' AS page, page !~* 'src=|href=|<script' AS alone,
  page LIKE '%Hash Left Join%' AS plan
FROM query_shaper.report(:query_id, 'html') AS page;

SELECT query_shaper.report(:query_id, 'pdf');
SELECT query_shaper.report(:query_id, NULL);
DO $$
BEGIN
  PERFORM query_shaper.report(4242::bigint);
EXCEPTION WHEN undefined_object THEN RAISE NOTICE '%', SQLERRM;
END $$;

-- A running statement reports on itself.
RESET query_shaper.mode;
SELECT report ->> 'state' AS state, (report ->> 'pid')::int = pg_backend_pid() AS pid, report -> 'actual_ms' AS actual,
  (report ->> 'progress')::float8 BETWEEN 0 AND 1 AS progress, jsonb_array_length(report -> 'nodes') > 0 AS nodes
FROM (SELECT query_shaper.report(pg_backend_pid(), 'json')::jsonb AS report OFFSET 0) AS running;
SET query_shaper.mode = off;
DO $$
BEGIN
  PERFORM query_shaper.report(pg_backend_pid());
EXCEPTION WHEN undefined_object THEN RAISE NOTICE '%', regexp_replace(SQLERRM, '[0-9]+', 'N');
END $$;
SELECT query_shaper.report(0);
DROP TABLE reported, other;
