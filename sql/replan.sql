-- A running statement whose plan turns out wrong is given another one: same rows, told in events, however it is run.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SELECT query_shaper.flush();
SET query_shaper.mode = off;
SET max_parallel_workers_per_gather = 0;
-- A brand has one kind and one shelf: one row expected, 400 come.
CREATE TABLE article (id int, brand int, kind int, shelf int);
CREATE TABLE receipt (id int, article int, amount int);
INSERT INTO article SELECT g, g % 100, (g % 100) * 3, (g % 100) * 7 FROM generate_series(1, 40000) g;
INSERT INTO receipt SELECT g, g % 40000 + 1, g % 13 FROM generate_series(1, 20000) g;
ANALYZE article, receipt;

-- Plans that are bad and stay so: made without the joins that fit, kept by the plan cache.
SET plan_cache_mode = force_generic_plan;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
PREPARE counted AS SELECT count(*), sum(r.amount), min(r.id) FROM article a JOIN receipt r ON r.article = a.id
  WHERE a.brand = 7 AND a.kind = 21 AND a.shelf = 49;
PREPARE sorted AS SELECT r.id, a.brand FROM article a JOIN receipt r ON r.article = a.id
  WHERE a.brand = 8 AND a.kind = 24 AND a.shelf = 56 ORDER BY r.id;
PREPARE outer_joined AS SELECT count(*), count(r.id), sum(r.amount) FROM article a LEFT JOIN receipt r ON r.article = a.id
  WHERE a.brand = 9 AND a.kind = 27 AND a.shelf = 63;
PREPARE volatile_one AS SELECT count(random()) FROM article a JOIN receipt r ON r.article = a.id
  WHERE a.brand = 7 AND a.kind = 21 AND a.shelf = 49;
CREATE FUNCTION loops(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  line text;
  result boolean := false;
BEGIN
  FOR line IN EXECUTE query LOOP result := result OR line LIKE '%Nested Loop%'; END LOOP;
  RETURN result;
END $$;
SELECT loops('EXPLAIN EXECUTE counted'), loops('EXPLAIN EXECUTE sorted'), loops('EXPLAIN EXECUTE outer_joined');
-- What they return by those plans.
EXECUTE counted;
CREATE TABLE sorted_rows AS EXECUTE sorted;
EXECUTE outer_joined;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
DEALLOCATE ALL;

-- The same under watch.
SET query_shaper.min_cost = 0;
SET query_shaper.learn_rows = off;
SET query_shaper.replan_min_time = 1;
SET query_shaper.mode = shape;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
PREPARE counted AS SELECT count(*), sum(r.amount), min(r.id) FROM article a JOIN receipt r ON r.article = a.id
  WHERE a.brand = 7 AND a.kind = 21 AND a.shelf = 49;
PREPARE sorted AS SELECT r.id, a.brand FROM article a JOIN receipt r ON r.article = a.id
  WHERE a.brand = 8 AND a.kind = 24 AND a.shelf = 56 ORDER BY r.id;
PREPARE outer_joined AS SELECT count(*), count(r.id), sum(r.amount) FROM article a LEFT JOIN receipt r ON r.article = a.id
  WHERE a.brand = 9 AND a.kind = 27 AND a.shelf = 63;
PREPARE volatile_one AS SELECT count(random()) FROM article a JOIN receipt r ON r.article = a.id
  WHERE a.brand = 7 AND a.kind = 21 AND a.shelf = 49;
SELECT loops('EXPLAIN EXECUTE counted'), loops('EXPLAIN EXECUTE sorted'), loops('EXPLAIN EXECUTE outer_joined');
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
EXECUTE counted;
EXECUTE outer_joined;
CREATE TABLE sorted_again AS EXECUTE sorted;
SELECT count(*) AS differ FROM (TABLE sorted_rows EXCEPT ALL TABLE sorted_again UNION ALL
  (TABLE sorted_again EXCEPT ALL TABLE sorted_rows)) d;
-- EXPLAIN shows the plan that ended.
SELECT loops('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE counted') AS shows_the_old_plan;
SELECT query_shaper.flush();
SELECT count(*) >= 4 AS done, bool_and((details ->> 'new_ms')::float8 < (details ->> 'left_ms')::float8) AS better,
  bool_and(node_id IS NOT NULL OR reason LIKE '%tracked end%') AS node_known
FROM query_shaper.events WHERE action = 'replan' AND pid = pg_backend_pid() AND verdict = 'done';
SELECT value >= 4 AS counted FROM query_shaper.metrics WHERE name = 'replans_total';

-- Never: rows that have been seen, volatile functions.
SELECT count(*) AS events FROM query_shaper.events WHERE action = 'replan' AND pid = pg_backend_pid() \gset
EXECUTE volatile_one;
SELECT query_shaper.flush();
SELECT count(*) - :events AS of_the_volatile FROM query_shaper.events WHERE action = 'replan' AND pid = pg_backend_pid();

-- Advice, and off.
SELECT value AS before FROM query_shaper.metrics WHERE name = 'replans_total' \gset
SET query_shaper.replan = advise;
EXECUTE outer_joined;
SET query_shaper.replan = off;
EXECUTE outer_joined;
SELECT query_shaper.flush();
SELECT count(*) AS advised FROM query_shaper.events
WHERE action = 'replan' AND pid = pg_backend_pid() AND verdict = 'advised';
SELECT value - :before AS replaced FROM query_shaper.metrics WHERE name = 'replans_total';
SET query_shaper.replan = on;

SET query_shaper.mode = off;
DROP FUNCTION loops(text);
DROP TABLE article, receipt, sorted_rows, sorted_again;
