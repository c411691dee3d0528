-- Runaways are told of, cancelled and remembered; statements predicted to be long are refused; hash tables grow.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
\set VERBOSITY terse
SET query_shaper.mode = off;
SELECT query_shaper.reset();
CREATE TABLE stale (id int, k int) WITH (autovacuum_enabled = off);
INSERT INTO stale VALUES (1, 1);
ANALYZE stale;
INSERT INTO stale SELECT g, g % 10 FROM generate_series(2, 6000) g;
CREATE ROLE shaper_ordinary;
GRANT SELECT ON stale TO shaper_ordinary;
GRANT USAGE ON SCHEMA query_shaper TO shaper_ordinary;
-- What an error says, with its numbers blanked.
CREATE FUNCTION told(statement text) RETURNS TABLE (what text, text text) LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text;
BEGIN
  EXECUTE statement;
  RETURN QUERY SELECT 'no error', '';
EXCEPTION WHEN query_canceled OR configuration_limit_exceeded THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN QUERY SELECT * FROM unnest(ARRAY['sqlstate', 'message', 'detail', 'hint'],
    ARRAY[state, message, regexp_replace(detail, '[0-9.]+ (ms|s|min)\M', 'T', 'g'), regexp_replace(hint, '-?[0-9]+', 'N', 'g')]);
END $$;
SET query_shaper.tracked_nest_levels = 4;
SET query_shaper.runaway_min_time = 100;
SET query_shaper.replan = off;
SET query_shaper.learn_rows = off;
SET query_shaper.mode = shape;

-- Advice does not touch it.
SELECT count(*) > 30000000 AS advised FROM stale a JOIN stale b ON a.k <> b.k WHERE a.id + b.id > 0;

SET query_shaper.runaway = cancel;
SELECT * FROM told('SELECT count(*) AS cancelled FROM stale a JOIN stale b ON a.k <> b.k WHERE a.id + b.id > 0');
-- Look-alikes at once, with other constants too.
SELECT * FROM told('SELECT count(*) AS cancelled FROM stale a JOIN stale b ON a.k <> b.k WHERE a.id + b.id > 5');
-- A cancel is not swallowed by WHEN OTHERS.
DO $$
BEGIN
  PERFORM count(*) AS cancelled FROM stale a JOIN stale b ON a.k <> b.k WHERE a.id + b.id > 7;
EXCEPTION WHEN OTHERS THEN
  RAISE NOTICE 'swallowed';
END $$;
SELECT count(*) AS cancelled FROM stale a JOIN stale b ON a.k <> b.k WHERE a.id + b.id > 9;

-- Who may lift it.
SELECT query_shaper.flush();
SELECT max(query_id) AS query_id FROM (
  SELECT query_id, at FROM query_shaper.events WHERE action = 'cancel' AND verdict = 'done' ORDER BY at DESC LIMIT 1) e \gset
SET ROLE shaper_ordinary;
SELECT query_shaper.lift_runaway(:query_id);
RESET ROLE;
SET client_min_messages = warning;
SELECT query_shaper.lift_runaway(:query_id);
SELECT query_shaper.lift_runaway(:query_id);
SELECT query_shaper.lift_runaway(NULL);
RESET client_min_messages;

-- A role that forgets its own statement has not lifted it.
SET ROLE shaper_ordinary;
SELECT min(a.k) AS cancelled FROM stale a JOIN stale b ON a.k <> b.k WHERE a.id + b.id > 9;
SELECT query_shaper.flush();
SELECT query_shaper.forget(query_id) FROM query_shaper.events WHERE action = 'cancel' AND verdict = 'done' ORDER BY at DESC LIMIT 1;
SELECT query_shaper.flush();
SELECT min(a.k) AS cancelled FROM stale a JOIN stale b ON a.k <> b.k WHERE a.id + b.id > 10;
SELECT query_shaper.flush();
SELECT details ->> 'look_alike' AS look_alike FROM query_shaper.events WHERE action = 'cancel' ORDER BY at DESC LIMIT 1;
RESET ROLE;

-- Another one is stopped; one like it that behaves lifts it too.
SELECT sum(a.k) AS cancelled FROM stale a JOIN stale b ON a.k <> b.k WHERE a.id + b.id > 9;
SELECT sum(a.k) AS cancelled FROM stale a JOIN stale b ON a.k <> b.k WHERE a.id + b.id > 10;
SET query_shaper.runaway = advise;
SET query_shaper.runaway_min_time = '1h';
SELECT sum(a.k) AS behaves FROM stale a JOIN stale b ON a.k <> b.k WHERE a.id + b.id > 11;
SET query_shaper.runaway = cancel;
SELECT sum(a.k) AS lifted FROM stale a JOIN stale b ON a.k <> b.k WHERE a.id + b.id > 12;
SELECT query_shaper.flush();
SELECT action, verdict, reason, (details ->> 'look_alike')::boolean AS look_alike,
  CASE details ->> 'look_alike' WHEN 'false' THEN (details ->> 'tracked_ms')::float8 > (details ->> 'predicted_ms')::float8 END AS later,
  count(*)
FROM query_shaper.events WHERE action IN ('cancel', 'release') GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5;

-- Refused before it runs.
SET query_shaper.max_predicted_time = '1min';
DO $$
DECLARE state text; detail text; hint text;
BEGIN
  PERFORM count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RAISE NOTICE '% % %', state, regexp_replace(detail, '[0-9.]+ (ms|s|min)\M', 'T', 'g'), hint;
END $$;
SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b;
EXPLAIN (COSTS off) SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b;
SELECT count(*) FROM stale;
-- An ordinary role does not lift an administrator's limits.
SET ROLE shaper_ordinary;
SET query_shaper.max_predicted_time = 0;
SET query_shaper.runaway = off;
SET query_shaper.mode = off;
SET query_shaper.min_cost = 1e14;
SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b;
RESET ROLE;
RESET query_shaper.min_cost;
-- A superuser does.
SET query_shaper.mode = advise;
SET query_shaper.max_predicted_time = '1ms';
SELECT count(*) > 0 AS ran FROM stale a JOIN generate_series(1, 200) g ON a.id > g;
SET query_shaper.mode = off;
SELECT count(*) > 0 AS ran FROM stale a JOIN generate_series(1, 200) g ON a.id > g;
SET query_shaper.max_predicted_time = 0;

-- A hash table that outgrows its plan keeps in one batch.
CREATE TABLE thin (id int, pad text) WITH (autovacuum_enabled = off);
INSERT INTO thin VALUES (0, 'x');
ANALYZE thin;
INSERT INTO thin SELECT g, repeat('x', 20) FROM generate_series(1, 150000) g;
CREATE FUNCTION batches(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS off, TIMING off) ' || statement LOOP
    IF line ~ 'Batches: ' THEN RETURN CASE WHEN line ~ 'Batches: 1 ' THEN 'one' ELSE 'several' END; END IF;
  END LOOP;
END $$;
SET enable_mergejoin = off;
SET enable_nestloop = off;
SET max_parallel_workers_per_gather = 0;
SET work_mem = '2MB';
SET query_shaper.tick_interval = 1;
SET query_shaper.min_cost = 0;
SET query_shaper.runaway = off;
SELECT batches('SELECT count(*) FROM generate_series(1, 200000) g JOIN thin ON thin.id = g') AS stock;
SET query_shaper.mode = advise;
SELECT batches('SELECT count(*) FROM generate_series(1, 200000) g JOIN thin ON thin.id = g') AS advised;
SET query_shaper.mode = shape;
SELECT batches('SELECT count(*) FROM generate_series(1, 200000) g JOIN thin ON thin.id = g') AS grown;
SET query_shaper.mode = off;
SELECT query_shaper.flush();
SELECT verdict, reason, (details ->> 'to_kb')::int > (details ->> 'from_kb')::int AS more,
  (details ->> 'held_rows')::int > (details ->> 'planned_rows')::int AS outgrown
FROM query_shaper.events WHERE action = 'grow' ORDER BY at;
DROP TABLE stale, thin;
DROP FUNCTION told(text);
DROP FUNCTION batches(text);
REVOKE USAGE ON SCHEMA query_shaper FROM shaper_ordinary;
DROP ROLE shaper_ordinary;
