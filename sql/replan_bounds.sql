-- What bounds re-planning: a change must promise to make up for the interruptions before it, whatever they were worth,
-- and a plan that would take far longer than that is left all the same.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.mode = off;
SELECT query_shaper.reset();
SET max_parallel_workers_per_gather = 0;
-- Brand 1 has 50 articles, brand 2 has 20,000; a generic plan expects few of either.
CREATE TABLE article (id int, brand int, kind int, shelf int) WITH (autovacuum_enabled = off);
CREATE TABLE receipt (id int, article int, amount int) WITH (autovacuum_enabled = off);
INSERT INTO article SELECT g, g, g, g FROM generate_series(100, 5000) g;
ANALYZE article;
INSERT INTO article SELECT g, 1, 1, 1 FROM generate_series(5001, 5050) g;
INSERT INTO article SELECT g, 2, 2, 2 FROM generate_series(5051, 25050) g;
INSERT INTO receipt SELECT g, 100 + g % 24950, g % 13 FROM generate_series(1, 20000) g;
ANALYZE receipt;
CREATE FUNCTION done() RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM query_shaper.events WHERE action = 'replan' AND pid = pg_backend_pid() AND verdict = 'done' $$;

SET query_shaper.min_cost = 0;
SET query_shaper.learn_rows = off;
SET query_shaper.replan_min_time = 1;
SET query_shaper.mode = shape;
SET plan_cache_mode = force_generic_plan;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
PREPARE counted(int) AS SELECT count(*), sum(r.amount), min(r.id) FROM article a JOIN receipt r ON r.article = a.id
  WHERE a.brand = $1 AND a.kind = $1 AND a.shelf = $1;
CREATE FUNCTION loops(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  line text;
  result boolean := false;
BEGIN
  FOR line IN EXECUTE query LOOP result := result OR line LIKE '%Nested Loop%'; END LOOP;
  RETURN result;
END $$;
SELECT loops('EXPLAIN EXECUTE counted(1)');
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;

-- Interrupted run by run, until what is left is not worth another time.
EXECUTE counted(1);
DO $$ BEGIN FOR i IN 1..24 LOOP EXECUTE 'EXECUTE counted(1)'; END LOOP; END $$;
SELECT query_shaper.flush();
SELECT done() AS before \gset
SELECT :before > 0 AS interrupted, :before < 25 AS not_each_time;
SELECT bool_and((details ->> 'left_ms')::float8 > (details ->> 'new_ms')::float8 + (details ->> 'penalty_ms')::float8) AS worth_it,
  min((details ->> 'penalty_ms')::float8) = 0 AS first_one_free, count(*) = 1 OR max((details ->> 'penalty_ms')::float8) > 0 AS then_dearer
FROM query_shaper.events WHERE action = 'replan' AND pid = pg_backend_pid() AND verdict = 'done';
EXECUTE counted(1);
SELECT query_shaper.flush();
SELECT done() - :before <= 1 AS left_alone, done() AS before \gset
SELECT :'left_alone' AS left_alone;
SELECT count(*) > 0 AS not_worth_it FROM query_shaper.events
WHERE action = 'replan' AND pid = pg_backend_pid() AND verdict = 'declined' AND reason ~ 'not enough better'
  AND (details ->> 'left_ms')::float8 > (details ->> 'new_ms')::float8 AND (details ->> 'penalty_ms')::float8 > 0;

-- A minute is worth more than all that.
EXECUTE counted(2);
SELECT query_shaper.flush();
SELECT done() > :before AS interrupted_again;


-- Not to a plan that can gain nothing, however wrong the rows were.
SELECT query_shaper.reset();
SET query_shaper.replan = off;
EXECUTE counted(1);
PREPARE hashed(int) AS SELECT count(*), sum(r.amount), min(r.id) FROM article a JOIN receipt r ON r.article = a.id
  WHERE a.brand = $1 AND a.kind = $1 AND a.shelf = $1;
EXECUTE hashed(1);
SET query_shaper.replan = on;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
EXECUTE hashed(1);
EXECUTE hashed(1);
SELECT query_shaper.flush();
SELECT verdict, reason, count(*) > 0 AS told FROM query_shaper.events
WHERE action = 'replan' AND pid = pg_backend_pid() GROUP BY 1, 2 ORDER BY 2;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;

-- A known plan that takes as long as ever is left for one that nobody knows only on trial, and is as good as before.
SELECT query_shaper.reset();
SET query_shaper.replan = advise;
EXECUTE counted(1);
SET query_shaper.replan = on;
SET query_shaper.regret_limit = 2;
EXECUTE counted(1);
SET query_shaper.mode = off;
SELECT query_shaper.flush();
SELECT count(*) AS done, bool_or(reason ~ 'it is tried|more rows than planned|tracked end') AS known_reason
FROM query_shaper.events WHERE action = 'replan' AND pid = pg_backend_pid() AND verdict = 'done';
-- (A tracked end far beyond the known time is a reason of its own.)
SELECT origin, runs > 0.9 AS ran, given_up = 0 OR NOT EXISTS (SELECT FROM query_shaper.events
  WHERE action = 'replan' AND pid = pg_backend_pid() AND verdict = 'done' AND reason ~ 'it is tried') AS as_good_as_before
FROM query_shaper.known_plans ORDER BY origin COLLATE "C";
RESET query_shaper.regret_limit;
EXECUTE counted(1);
DEALLOCATE ALL;
DROP FUNCTION loops(text);
DROP FUNCTION done();
DROP TABLE article, receipt;
