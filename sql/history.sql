-- The memory of finished statements: totals, one row for all constants, and forgetting.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.min_cost = 0;
SET query_shaper.mode = off;
CREATE TABLE remembered (id int, kind int);
INSERT INTO remembered SELECT g, g % 10 FROM generate_series(1, 1000) g;
ANALYZE remembered;
SELECT clock_timestamp() AS start \gset
RESET query_shaper.mode;
SELECT id FROM remembered WHERE kind = 1 AND id < 30;
SELECT id FROM remembered WHERE kind = 2 AND id < 20;
SELECT id FROM remembered WHERE kind = 3 AND id < 10;
SELECT id FROM remembered ORDER BY id DESC LIMIT 1;
SET query_shaper.mode = off;
SELECT query_shaper.flush();

SELECT query, calls, rows, failed_calls, query_id <> 0 AS named, fingerprint <> 0 AS shaped, min_ms <= max_ms AS ordered,
  weight > 0 AND weight <= calls AS weight, first_seen BETWEEN :'start' AND last_seen AS seen,
  jsonb_typeof(features) AS features, usename = current_user AS mine
FROM query_shaper.history WHERE query LIKE 'SELECT id FROM remembered%' ORDER BY calls DESC;

-- Forgetting one query leaves the other; what is not known cannot be forgotten.
SELECT query_id FROM query_shaper.history WHERE query LIKE 'SELECT id FROM remembered WHERE%' \gset
SELECT query_shaper.forget(:query_id);
SELECT query FROM query_shaper.history WHERE query LIKE 'SELECT id FROM remembered%';
SELECT count(*) FROM query_shaper.predictions WHERE query_id = :query_id;
SELECT count(*) FROM query_shaper.profile_data WHERE query_id = :query_id;
DO $$
BEGIN
  PERFORM query_shaper.forget(42);
EXCEPTION WHEN undefined_object THEN RAISE NOTICE '%', SQLERRM;
END $$;
SELECT query_shaper.forget(NULL);

-- Forgetting ends with the transaction.
BEGIN;
SELECT query_shaper.reset();
SELECT count(*) FROM query_shaper.history;
SELECT query_shaper.flush();
ROLLBACK;
SELECT count(*) > 0 AS kept FROM query_shaper.history;
SELECT query_shaper.reset();
SELECT (SELECT count(*) FROM query_shaper.history) AS history, (SELECT count(*) FROM query_shaper.predictions) AS predictions,
  (SELECT count(*) FROM query_shaper.profile_data) AS profiles;
-- And learning goes on.
RESET query_shaper.mode;
SELECT id FROM remembered WHERE kind = 4 AND id < 10;
SET query_shaper.mode = off;
SELECT query_shaper.flush();
SELECT query, calls FROM query_shaper.history WHERE query LIKE '%remembered%';
DROP TABLE remembered;

-- What was planned cheap and was slow once is watched from its start, but not for ever: its data was cold, maybe.
RESET query_shaper.min_cost;
SET query_shaper.late_tracking = '200ms';
CREATE FUNCTION nap(seconds float) RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(seconds); END';
RESET query_shaper.mode;
DO $$ BEGIN PERFORM nap(0.5); FOR i IN 1..100 LOOP PERFORM nap(0); END LOOP; END $$;
SET query_shaper.mode = off;
SELECT query_shaper.flush();
SELECT query, calls > 1 AS watched, calls < 60 AS forgotten FROM query_shaper.history WHERE query LIKE '%pg_sleep(%' ORDER BY 1;
DROP FUNCTION nap;
