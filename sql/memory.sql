-- Memory for the nodes of a plan: who gets more than the server's settings, who sees it, and what becomes of it.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.mode = off;
SELECT query_shaper.reset();
CREATE TABLE wide AS SELECT g AS id, g % 100 AS k, md5(g::text) AS t FROM generate_series(1, 30000) g;
ANALYZE wide;
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SET max_parallel_workers_per_gather = 0;
SET enable_memoize = off;
SET jit = off;
SET query_shaper.min_cost = 0;
SET query_shaper.learn_rows = off;
SET query_shaper.replan = off;
SET query_shaper.shadow = off;
SET query_shaper.grow_memory = off;
-- Temporary blocks that a statement writes; and what EXPLAIN (ANALYZE) says of its nodes' memory, numbers blanked.
CREATE FUNCTION spills(statement text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) ' || statement INTO plan;
  RETURN (plan -> 0 -> 'Plan' ->> 'Temp Written Blocks')::int > 0;
END $$;
CREATE FUNCTION told(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, TIMING off, COSTS off) ' || statement LOOP
    IF line ~ 'Memory of' THEN RETURN NEXT regexp_replace(line, '\d+', 'N', 'g'); END IF;
  END LOOP;
END $$;
CREATE TABLE statements (name text, query text);
INSERT INTO statements VALUES
  ('sort', 'SELECT t FROM wide ORDER BY t'),
  ('sort of a sort', 'SELECT * FROM (SELECT id, t FROM wide ORDER BY t OFFSET 0) s ORDER BY id DESC'),
  ('hash join', 'SELECT count(a.t || b.t) FROM wide a JOIN wide b USING (id)'),
  ('left hash join', 'SELECT count(a.t || b.t) FROM wide a LEFT JOIN wide b USING (id)'),
  ('groups', 'SELECT t, count(*) FROM wide GROUP BY t'),
  ('distinct in an aggregate', 'SELECT count(DISTINCT t) FROM wide'),
  ('distinct in groups', 'SELECT k / 50 AS half, count(DISTINCT t), count(DISTINCT id) FROM wide GROUP BY 1'),
  ('CTE', 'WITH c AS MATERIALIZED (SELECT * FROM wide) SELECT (SELECT count(*) FROM c) + (SELECT max(id) FROM c)'),
  ('materialised', 'SELECT count(*) FROM (VALUES (1), (2)) v (x) LEFT JOIN (SELECT t FROM wide OFFSET 0) w ON length(w.t) > x');

-- Off, observed and advised: the server's settings; on: more.
SET query_shaper.mode = off;
SELECT name, spills(query) FROM statements;
SET query_shaper.mode = observe;
SELECT bool_and(spills(query)) AS observed_spill FROM statements;
SET query_shaper.mode = advise;
SELECT bool_and(spills(query)) AS advised_spill FROM statements;
SET query_shaper.mode = shape;
SET query_shaper.memory = off;
SELECT bool_and(spills(query)) AS switched_off_spill FROM statements;
SET query_shaper.memory = on;
-- Advice may fail once, not three times in a row.
SELECT name, NOT EXISTS (SELECT FROM generate_series(1, 3) WHERE NOT spills(query)) AS spills FROM statements;
-- Its largest group is known now.
SELECT name, spills(query) FROM statements WHERE name = 'distinct in groups';
SELECT DISTINCT told(query) FROM statements WHERE name IN ('sort', 'groups') ORDER BY 1;
-- One node's bound.
SET query_shaper.memory_node_max = '128kB';
SELECT name, spills(query) FROM statements WHERE name IN ('sort', 'hash join');
RESET query_shaper.memory_node_max;

-- An aggregate that was given more, and still has far too little: each of its batches has as much.
CREATE TABLE stale_groups (k int) WITH (autovacuum_enabled = off);
INSERT INTO stale_groups SELECT g % 2000 FROM generate_series(1, 40000) g;
ANALYZE stale_groups;
INSERT INTO stale_groups SELECT g FROM generate_series(1, 60000) g;
CREATE FUNCTION batches(statement text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, TIMING off, FORMAT json) ' || statement INTO plan;
  RETURN jsonb_path_query_first(plan, '$.**."HashAgg Batches"')::int;
END $$;
SELECT batches('SELECT k, count(*) FROM stale_groups GROUP BY k HAVING count(*) > 1000') BETWEEN 2 AND 300 AS few_batches;
DROP FUNCTION batches(text);
DROP TABLE stale_groups;

-- A plan that holds nothing may be the answer to too little memory: where it is long, the planner is asked with more.
CREATE TABLE deliveries (part int, supplier int, quantity int, note text) WITH (autovacuum_enabled = off);
INSERT INTO deliveries SELECT g % 20000, g % 7, g, repeat('x', 60) FROM generate_series(1, 200000) g;
CREATE INDEX ON deliveries (part, supplier);
ANALYZE deliveries;
CREATE FUNCTION nodes(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || statement INTO plan;
  RETURN (SELECT string_agg(concat_ws(' ', node ->> 'Strategy', node ->> 'Node Type'), ', ')
          FROM jsonb_path_query(plan, 'strict $.**{1 to 20} ? (@.type() == "object" && exists(@."Node Type"))') node);
END $$;
PREPARE supplied AS SELECT count(*), max(n), sum(quantity)
  FROM (SELECT part, supplier, count(*) AS n, sum(quantity) AS quantity FROM deliveries GROUP BY part, supplier OFFSET 0) s;
SELECT nodes('EXECUTE supplied');
EXECUTE supplied;
-- Not where it would not be given the memory, nor what groups little.
SET query_shaper.memory_node_max = '64kB';
SELECT nodes('SELECT part, supplier, count(*) FROM deliveries GROUP BY part, supplier');
RESET query_shaper.memory_node_max;
SET query_shaper.memory = off;
SELECT nodes('SELECT part, supplier, sum(quantity) FROM deliveries WHERE part < 10 GROUP BY part, supplier') AS plain \gset
RESET query_shaper.memory;
SELECT nodes('SELECT part, supplier, sum(quantity) FROM deliveries WHERE part < 10 GROUP BY part, supplier') = :'plain' AS as_ever;
-- A cached plan whose memory is not to be had: the one beside it runs.
SET query_shaper.memory = off;
EXECUTE supplied;
SET query_shaper.memory = on;
SELECT query_shaper.flush();
SELECT verdict, reason, (details ->> 'cost')::numeric < (details ->> 'cost_before')::numeric AS cheaper FROM query_shaper.events
WHERE action = 'plan_memory' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SET query_shaper.mode = off;
DEALLOCATE supplied;
SELECT nodes('SELECT part, supplier, count(*) FROM deliveries GROUP BY part, supplier');
SET query_shaper.mode = shape;
DROP FUNCTION nodes(text);
DROP TABLE deliveries;

-- Nobody but the node itself sees its memory: functions in expressions, nested statements, what comes after an error.
SHOW work_mem;
CREATE FUNCTION seen(anyelement) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_setting('work_mem'); END $$;
CREATE FUNCTION seen_deeper(int) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE answer text;
BEGIN
  SELECT min(seen(s.id)) INTO answer FROM (SELECT id FROM wide WHERE id <= $1 ORDER BY t OFFSET 0) s;
  RETURN answer;
END $$;
SELECT DISTINCT seen FROM (SELECT seen(id), t FROM wide ORDER BY t OFFSET 0) s;
SELECT DISTINCT seen(a.id) FROM wide a JOIN (SELECT id, seen(t) AS inner_seen FROM wide) b USING (id) WHERE inner_seen = '64kB';
SELECT DISTINCT s FROM (SELECT seen(a.t) AS s, a.id FROM wide a WHERE seen(a.k) = '64kB') a RIGHT JOIN wide b USING (id);
SELECT min(x), max(x) FROM (SELECT t, min(seen(id)) AS x FROM wide GROUP BY t) s;
SELECT DISTINCT deeper FROM (SELECT CASE WHEN id % 10000 = 0 THEN seen_deeper(id) END AS deeper, t FROM wide ORDER BY t OFFSET 0) s
  ORDER BY 1;
SELECT count(DISTINCT seen(id)) FROM wide;
SELECT k / 50 AS half, count(DISTINCT id), count(DISTINCT seen(t)) FROM wide GROUP BY 1;
-- In groups: no input row is computed under the aggregate's memory, whatever is asked of its rows.
SELECT half, count(DISTINCT t), min(s), max(s) FROM (SELECT k / 50 AS half, t, seen(id) AS s FROM wide OFFSET 0) w GROUP BY 1;
SELECT half, count(DISTINCT t) FROM (SELECT k / 50 AS half, t FROM wide WHERE seen(id) = '64kB') w GROUP BY 1
  HAVING count(DISTINCT t) > 1;
SELECT x, (SELECT count(*) FROM (SELECT k, count(DISTINCT t) AS c FROM wide WHERE k <= x GROUP BY 1) s WHERE c > 0)
FROM (VALUES (1), (99)) v (x);
SHOW work_mem;
\set VERBOSITY terse
SELECT t FROM (SELECT t, 1 / (id - 20000) AS x FROM wide ORDER BY t OFFSET 0) s ORDER BY x;
SHOW work_mem;
DO $$
BEGIN
  BEGIN
    PERFORM t FROM (SELECT t, 1 / (id - 20000) AS x FROM wide ORDER BY t OFFSET 0) s ORDER BY x;
  EXCEPTION WHEN division_by_zero THEN
    RAISE NOTICE 'work_mem is %', current_setting('work_mem');
  END;
END $$;
BEGIN;
SAVEPOINT s;
SELECT count(*) FROM wide a JOIN wide b ON a.id = b.id AND 1 / (a.id - 1) >= 0;
ROLLBACK TO s;
SHOW work_mem;
COMMIT;
-- A statement that changes the setting itself, and one that ends early.
SELECT count(*) FROM (SELECT set_config('work_mem', '96kB', false), t FROM wide ORDER BY t OFFSET 0) s;
SHOW work_mem;
SET work_mem = '64kB';
SELECT t FROM wide ORDER BY t LIMIT 1;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM wide ORDER BY t;
FETCH 1 FROM c;
SHOW work_mem;
FETCH BACKWARD 1 FROM c;
FETCH ABSOLUTE 30000 FROM c;
ROLLBACK;
SHOW work_mem;

-- Parallel workers get what their leader has for the same nodes, and see the session's own setting.
CREATE FUNCTION seen_in_workers(int) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS
  $$ BEGIN RETURN current_setting('work_mem'); END $$;
SET max_parallel_workers_per_gather = 2;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET enable_hashagg = off;
SET query_shaper.workers = off;
SELECT count(*), min(x), max(x) FROM (SELECT seen_in_workers(id) AS x, t FROM wide ORDER BY t OFFSET 0) s;
RESET enable_hashagg;
SELECT count(*) FROM (SELECT t, count(*) FROM wide GROUP BY t) s;
SELECT count(a.t || b.t) FROM wide a JOIN wide b USING (id);

-- One hash table common to leader and workers: any of them may be the one that sizes it, and all of their limits together
-- are its memory. Batches, most of all joins and fewest of three runs at most, for advice may fail; whether EXPLAIN tells
-- of as much memory as a table took; and what the statement answers.
CREATE FUNCTION joined(statement text, OUT parallel_joins bigint, OUT batches int, OUT told boolean, OUT answer text)
LANGUAGE plpgsql AS $$
DECLARE plan jsonb; line text; held_kb int;
BEGIN
  FOR run IN 1 .. 3 LOOP
    EXECUTE 'EXPLAIN (ANALYZE, TIMING off, FORMAT json) ' || statement INTO plan;
    SELECT count(*) FILTER (WHERE node ->> 'Node Type' = 'Hash Join' AND (node ->> 'Parallel Aware')::boolean),
      least(max((node ->> 'Hash Batches')::int), batches), max((node ->> 'Peak Memory Usage')::int)
    INTO parallel_joins, batches, held_kb
    FROM jsonb_path_query(plan, 'strict $.**{1 to 20} ? (@.type() == "object" && exists(@."Node Type"))') node;
    EXIT WHEN batches = 1 OR current_setting('query_shaper.mode') = 'off';
  END LOOP;
  told = false;
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, TIMING off) ' || statement LOOP
    told = told OR line ~ 'Memory of Hash .* Shared by: 3 processes  .*Spilled: (no|unknown)'
      AND substring(line FROM 'Granted: (\d+)kB')::int >= held_kb;
  END LOOP;
  EXECUTE statement INTO answer;
END $$;
CREATE TABLE joins (name text, query text);
INSERT INTO joins VALUES
  ('one', 'SELECT count(a.t || b.t) FROM wide a JOIN wide b USING (id)'),
  ('left', 'SELECT count(a.t || b.t) FROM wide a LEFT JOIN wide b USING (id)'),
  ('two', 'SELECT count(a.t || b.t || c.t) FROM wide a JOIN wide b USING (id) JOIN wide c USING (id)'),
  ('inside', 'SELECT count(a.t || b.t || c.t) FROM wide a JOIN (wide b JOIN wide c USING (id)) ON a.id = b.id'),
  ('under a Gather', 'SELECT count(s) FROM (SELECT a.t || b.t AS s FROM wide a JOIN wide b USING (id) OFFSET 0) s'),
  ('under a sort', 'SELECT count(s) FROM (SELECT a.t || b.t AS s FROM wide a JOIN wide b USING (id) ORDER BY 1 OFFSET 0) s'),
  ('error', 'SELECT count(a.t || b.t) FROM wide a JOIN wide b ON a.id = 1 / (b.id - 20000)'),
  ('user''s function', 'SELECT count(a.t || b.t) FROM wide a JOIN wide b ON a.id = b.id AND seen_in_workers(a.id + b.id) = ''64kB'''),
  ('function in an input', 'SELECT count(a.t || b.t) FROM wide a JOIN wide b USING (id) WHERE seen_in_workers(b.id) = ''64kB''');
SET query_shaper.mode = off;
SELECT name, parallel_joins, batches > 1 AS spills, told, answer FROM joins, joined(query) WHERE name <> 'error';
SET query_shaper.mode = shape;
SELECT name, parallel_joins, batches > 1 AS spills, told, answer FROM joins, joined(query)
WHERE name NOT IN ('error', 'function in an input');
SELECT name, parallel_joins, answer FROM joins, joined(query) WHERE name = 'function in an input';
-- By the leader alone, and by workers alone.
SET max_parallel_workers = 0;
SELECT name, parallel_joins, batches > 1 AS spills, told, answer FROM joins, joined(query) WHERE name IN ('one', 'inside');
RESET max_parallel_workers;
SET parallel_leader_participation = off;
SELECT name, parallel_joins, batches > 1 AS spills, answer FROM joins, joined(query) WHERE name IN ('one', 'inside');
RESET parallel_leader_participation;
-- Whole or not at all: a bound holds for each of the processes.
SET query_shaper.memory_node_max = '512kB';
SELECT batches > 1 AS spills, told FROM joins, joined(query) WHERE name = 'one';
RESET query_shaper.memory_node_max;
\set VERBOSITY terse
SELECT joined(query) FROM joins WHERE name = 'error';
SHOW work_mem;
DROP FUNCTION joined(text);
DROP TABLE joins;
-- Scanned anew for each row of another input: sized anew, with the same memory, also by the leader.
CREATE FUNCTION again(statement text, OUT scanned int, OUT spills boolean) LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  FOR run IN 1 .. 3 LOOP
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) ' || statement INTO plan;
    scanned = jsonb_path_query_first(plan, '$.** ? (@."Node Type" starts with "Gather")."Actual Loops"');
    spills = (plan -> 0 -> 'Plan' ->> 'Temp Written Blocks')::int > 0;
    EXIT WHEN NOT spills;
  END LOOP;
END $$;
CREATE TABLE repeated (name text, query text);
INSERT INTO repeated VALUES
  ('join', 'SELECT count(s.t) FROM (VALUES (1), (2), (3)) v (x) LEFT JOIN (SELECT a.id, a.t || b.t AS t FROM wide a JOIN wide b USING (id) OFFSET 0) s ON s.id % 7 <> x'),
  ('sort', 'SELECT count(s.t) FROM (VALUES (1), (2), (3)) v (x) LEFT JOIN (SELECT a.id, a.t || b.t AS t FROM wide a JOIN wide b USING (id) ORDER BY 2 OFFSET 0) s ON s.id % 7 <> x');
SET enable_material = off;
SET query_shaper.mode = off;
SELECT name, scanned, spills FROM repeated, again(query);
SET query_shaper.mode = shape;
SELECT name, scanned, spills FROM repeated, again(query);
SET max_parallel_workers = 0;
SELECT name, scanned, spills FROM repeated, again(query) WHERE name = 'join';
RESET max_parallel_workers;
RESET enable_material;
DROP FUNCTION again(text);
DROP TABLE repeated;
SET max_parallel_workers_per_gather = 0;

-- A window holds one partition at a time, or less: first by the statistics of its columns, then by what it held.
CREATE TABLE parts AS SELECT g % 10 AS k, g AS id, md5(g::text) AS t FROM generate_series(1, 30000) g;
CREATE INDEX ON parts (k, id);
ANALYZE parts;
SET enable_sort = off;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
CREATE TABLE windows (name text, query text);
INSERT INTO windows VALUES
  ('whole', 'SELECT md5(string_agg(c || t, '''' ORDER BY id)) FROM (SELECT count(*) OVER (PARTITION BY k) AS c, id, t FROM parts OFFSET 0) s'),
  ('first', 'SELECT count(DISTINCT c) FROM (SELECT first_value(t) OVER (PARTITION BY k ORDER BY id) AS c, t FROM parts OFFSET 0) s'),
  ('peers', 'SELECT sum(c) FROM (SELECT sum(length(t)) OVER (ORDER BY k) AS c FROM parts OFFSET 0) s'),
  ('without peers', 'SELECT sum(c) FROM (SELECT sum(length(t)) OVER (ORDER BY k ROWS UNBOUNDED PRECEDING) AS c FROM parts OFFSET 0) s'),
  ('row by row', 'SELECT max(c) FROM (SELECT row_number() OVER (PARTITION BY k ORDER BY id) AS c, t FROM parts OFFSET 0) s'),
  ('user''s function', 'SELECT min(c), max(s) FROM (SELECT count(*) OVER (PARTITION BY k) AS c, seen(t) AS s, t FROM parts OFFSET 0) s');
CREATE FUNCTION windowed(statement text, OUT granted_kb int, OUT answer text) LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, TIMING off) ' || statement LOOP
    IF line ~ 'Memory of WindowAgg' THEN granted_kb = substring(line FROM 'Granted: (\d+)kB'); END IF;
  END LOOP;
  EXECUTE statement INTO answer;
END $$;
SET query_shaper.mode = off;
SELECT name, answer FROM windows, windowed(query);
SET query_shaper.mode = shape;
-- Of 2,600 kB in all.
SELECT name, granted_kb BETWEEN 500 AND 2000 AS more_than_a_partition, answer FROM windows, windowed(query);
SELECT name, granted_kb BETWEEN 200 AND 400 AS a_partition, answer FROM windows, windowed(query);
DROP FUNCTION windowed(text);
DROP TABLE windows, parts;
RESET enable_sort;
RESET enable_seqscan;
RESET enable_bitmapscan;

-- What is told of it. Nothing stays reserved.
SELECT query_shaper.flush();
SELECT action, verdict, reason, bool_and((details ->> 'beyond_settings_kb')::numeric > 0) AS beyond FROM query_shaper.events
WHERE action = 'reserve' AND verdict <> 'declined' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
-- Statements with a node that is not given memory for what would run under it, and only these.
SELECT DISTINCT left(h.query, 90) COLLATE "C" AS statement, e.verdict, e.node_id >= 0 AS node,
  (e.details ->> 'wanted_kb')::numeric > 0 AS wanted, e.reason
FROM query_shaper.events e LEFT JOIN query_shaper.history h USING (query_id)
WHERE e.action = 'reserve' AND e.reason LIKE 'functions %' ORDER BY 1;
RESET query_shaper.min_cost;
SELECT reserved FROM query_shaper.pool WHERE resource = 'memory';

DROP FUNCTION seen_in_workers(int), seen_deeper(int), seen(anyelement), told(text), spills(text);
DROP TABLE wide, statements;
SELECT query_shaper.reset();
