-- The plan guard: a plan of learned rows that is wrong is given up for the known one, in the same run, and not chosen again.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.mode = off;
SELECT query_shaper.reset();
CREATE TABLE flagged (id int, flag int) WITH (autovacuum_enabled = off);
CREATE TABLE probe (id int, v int) WITH (autovacuum_enabled = off);
INSERT INTO flagged SELECT g, 1 FROM generate_series(1, 20000) g;
INSERT INTO probe SELECT g, g FROM generate_series(1, 20000) g;
ANALYZE flagged, probe;
-- The join of a plan.
CREATE FUNCTION joined(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP
    IF line ~ 'Join|Nested Loop' AND line !~ 'Cond|Filter' THEN RETURN NEXT trim(line, ' ->'); END IF;
  END LOOP;
END $$;
SET enable_hashjoin = off;
SET max_parallel_workers_per_gather = 0;
SET query_shaper.min_cost = 0;
SET query_shaper.replan = off;
SET query_shaper.learn_rows = advise;
SET query_shaper.mode = shape;
-- The stock plan gets known with its time.
SELECT count(*), sum(v) FROM flagged f JOIN probe p ON p.id = f.id WHERE flag = 1;
SET query_shaper.learn_rows = on;
-- Then what is learned goes wrong: a filter is seen to leave three rows, many times, and changes.
UPDATE flagged SET flag = 2 WHERE id > 3;
DO $$ BEGIN FOR i IN 1..25 LOOP PERFORM count(*) FROM flagged WHERE flag = 1; END LOOP; END $$;
UPDATE flagged SET flag = 1;
SELECT joined('SELECT count(*), sum(v) FROM flagged f JOIN probe p ON p.id = f.id WHERE flag = 1') AS tempting;
SELECT count(*), sum(v) FROM flagged f JOIN probe p ON p.id = f.id WHERE flag = 1;
SELECT joined('SELECT count(*), sum(v) FROM flagged f JOIN probe p ON p.id = f.id WHERE flag = 1') AS known_again;
SELECT count(*), sum(v) FROM flagged f JOIN probe p ON p.id = f.id WHERE flag = 1;
SET query_shaper.mode = off;
SELECT query_shaper.flush();
SELECT verdict, reason, (details ->> 'tracked_ms')::float8 > (details ->> 'allowed_ms')::float8 AS late, count(*)
FROM query_shaper.events WHERE action = 'guard' GROUP BY 1, 2, 3;
-- A fast plan of learned rows is kept by its shape, whatever would be chosen now.
SELECT query_shaper.reset();
RESET enable_hashjoin;
CREATE TABLE wide (id int PRIMARY KEY, v int) WITH (autovacuum_enabled = off);
INSERT INTO wide SELECT g, g FROM generate_series(1, 400000) g;
ANALYZE wide;
UPDATE flagged SET flag = 2 WHERE id > 3;
SET enable_mergejoin = off;
SET query_shaper.mode = shape;
SELECT joined('SELECT count(*), sum(v) FROM flagged f JOIN wide w ON w.id = f.id WHERE flag = 1') AS stock;
SELECT count(*), sum(v) FROM flagged f JOIN wide w ON w.id = f.id WHERE flag = 1;
SELECT count(*), sum(v) FROM flagged f JOIN wide w ON w.id = f.id WHERE flag = 1;
SELECT joined('SELECT count(*), sum(v) FROM flagged f JOIN wide w ON w.id = f.id WHERE flag = 1') AS learned;
SET random_page_cost = 100000;
SELECT joined('SELECT count(*), sum(v) FROM flagged f JOIN wide w ON w.id = f.id WHERE flag = 1') AS kept;
SET query_shaper.regret_limit = 100;
SELECT joined('SELECT count(*), sum(v) FROM flagged f JOIN wide w ON w.id = f.id WHERE flag = 1') AS chosen_now;
RESET query_shaper.regret_limit;
-- What is switched off is not forced.
SET enable_nestloop = off;
SELECT joined('SELECT count(*), sum(v) FROM flagged f JOIN wide w ON w.id = f.id WHERE flag = 1') AS switched_off;
RESET enable_nestloop;
SELECT query_shaper.flush();
SELECT origin, runs > 0.9 AS ran, time_ms > 0 AS timed, given_up, verdict, kept FROM query_shaper.known_plans
WHERE query_id = (SELECT query_id FROM query_shaper.history WHERE query LIKE '%JOIN wide w%' AND calls = 1 LIMIT 1)
ORDER BY origin;
-- Those who never ran the statement see nothing of it.
CREATE ROLE regress_unplanned;
CREATE ROLE regress_planned IN ROLE pg_read_all_stats;
SET ROLE regress_unplanned;
SELECT count(*) FROM query_shaper.known_plans;
SET ROLE regress_planned;
SELECT count(*) > 0 AS seen FROM query_shaper.known_plans;
RESET ROLE;
DROP ROLE regress_unplanned, regress_planned;
RESET random_page_cost;
RESET enable_mergejoin;
SET query_shaper.mode = off;
DROP FUNCTION joined(text);
DROP TABLE flagged, probe, wide;
