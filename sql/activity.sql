-- Running statements as the views show them: every one of these statements watches itself.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.min_cost = 0;

SELECT nest_level, datname = current_database() AS here, usename = current_user AS mine, query_id <> 0 AS named,
  fingerprint <> 0 AS shaped, query, state, started <= clock_timestamp() AS began, elapsed >= '0' AS elapsed,
  progress BETWEEN 0 AND 1 AS progress, eta_low <= eta AND eta <= eta_high AS band,
  predicted_low_ms <= predicted_ms AND predicted_ms <= predicted_high_ms AS predicted, memory_kb >= 0 AS memory,
  temp_kb, workers, stalled, late
FROM query_shaper.activity WHERE pid = pg_backend_pid();

SELECT bar ~ '^\[[#.]{20}\] +[0-9]+% left ([0-9.]+[a-z]+)+ \(([0-9.]+[a-z]+)+\.\.([0-9.]+[a-z]+)+\) *$' AS bar, length(bar)
FROM query_shaper.activity WHERE pid = pg_backend_pid();

SET enable_hashjoin = on;
SET enable_mergejoin = off;
SET enable_nestloop = off;
CREATE TABLE shown (node_id int);
INSERT INTO shown SELECT generate_series(0, 99);
SELECT n.node_id, n.parent_id, n.depth, n.operator, n.relation, n.estimated_rows >= 0 AS estimated,
  n.refined_rows >= 0 AS refined, n.progress BETWEEN 0 AND 1 AS progress, n.memory_limit_kb >= 0 AS memory_limit
FROM query_shaper.activity_nodes n LEFT JOIN shown s USING (node_id)
WHERE n.pid = pg_backend_pid() ORDER BY n.node_id;
RESET enable_mergejoin;
RESET enable_nestloop;
DROP TABLE shown;

-- Statements inside functions have rows of their own.
CREATE FUNCTION levels() RETURNS SETOF int LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT nest_level FROM query_shaper.activity WHERE pid = pg_backend_pid() ORDER BY 1;
END $$;
SELECT * FROM levels();
SET query_shaper.tracked_nest_levels = 1;
SELECT * FROM levels();
RESET query_shaper.tracked_nest_levels;
DROP FUNCTION levels();

-- Nothing is shown of what is not tracked.
SET query_shaper.min_cost = 1e9;
SELECT count(*) FROM query_shaper.activity WHERE pid = pg_backend_pid();
SET query_shaper.min_cost = 0;
SET query_shaper.mode = off;
SELECT count(*) FROM query_shaper.activity WHERE pid = pg_backend_pid();
RESET query_shaper.mode;

-- A process cannot hold itself, and nothing but a backend's leader can be held.
SELECT query_shaper.pause(pg_backend_pid());
SELECT query_shaper.pause(0);
SELECT query_shaper.pause(-1);
SELECT query_shaper.resume(2147483647);
SELECT query_shaper.pause(NULL::int);
SET client_min_messages = warning;
SELECT query_shaper.resume(pg_backend_pid());
RESET client_min_messages;
