-- Learned row counts: what is kept, who sees it, what invalidates it, how it travels.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
DROP ROLE IF EXISTS regress_counted, regress_uncounted, regress_counter;
RESET client_min_messages;
SET query_shaper.min_cost = 0;
SET query_shaper.mode = off;
SET query_shaper.learn_rows = on;
SET max_parallel_workers_per_gather = 0;
SELECT query_shaper.reset();
-- x and y always agree, and z is one of ten texts: the planner believes in independence.
CREATE TABLE pairs (x int, y int, z text);
INSERT INTO pairs SELECT g % 100, g % 100, 'text ' || g % 10 FROM generate_series(1, 20000) g;
CREATE TABLE singles (x int PRIMARY KEY, w int);
INSERT INTO singles SELECT g, g FROM generate_series(0, 99) g;
VACUUM ANALYZE pairs, singles;
CREATE FUNCTION estimate(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  RETURN plan #>> '{0,Plan,Plan Rows}';
END $$;
SELECT estimate('SELECT * FROM pairs WHERE x = 5 AND y = 5') < 20 AS natural;

RESET query_shaper.mode;
SELECT count(*) FROM pairs WHERE x = 5 AND y = 5;
SELECT count(*) FROM pairs JOIN singles USING (x) WHERE w < 20 AND z = 'text 3' AND y = x;
-- It counts at once, in other sessions, too.
SELECT estimate('SELECT * FROM pairs WHERE x = 5 AND y = 5') AS exact;
\c -
SET query_shaper.min_cost = 0;
SET query_shaper.learn_rows = on;
SET max_parallel_workers_per_gather = 0;
SELECT estimate('SELECT * FROM pairs WHERE x = 5 AND y = 5') AS exact,
  estimate('SELECT * FROM pairs p WHERE 5 = p.y AND p.x = 5') AS other_words;
-- Similar constants share, the more the more are known.
SELECT estimate('SELECT * FROM pairs WHERE x = 6 AND y = 6') BETWEEN 20 AND 199 AS one_neighbour;
SELECT count(*) FROM pairs WHERE x = 4 AND y = 4;
SELECT count(*) FROM pairs WHERE x = 7 AND y = 7;
SELECT count(*) FROM pairs WHERE x = 8 AND y = 8;
SELECT estimate('SELECT * FROM pairs WHERE x = 6 AND y = 6') BETWEEN 100 AND 205 AS several_neighbours;
-- What is switched off is as the planner has it.
SET query_shaper.learn_rows = off;
SELECT estimate('SELECT * FROM pairs WHERE x = 5 AND y = 5') < 20 AS natural;
SET query_shaper.learn_rows = on;
SET query_shaper.mode = off;
SELECT estimate('SELECT * FROM pairs WHERE x = 5 AND y = 5') < 20 AS natural;

SELECT query_shaper.flush();
SELECT relations, clauses, kind, planner_rows < 20 AS low, actual_rows, seen, planned_rows > 0 AS planned, last_seen <= now() AS seen_before
FROM query_shaper.row_estimates WHERE relations = 'public.pairs' AND clauses LIKE '%.x = %' ORDER BY clauses;
SELECT relations, kind, actual_rows, seen FROM query_shaper.row_estimates WHERE relations = 'public.pairs, public.singles';
-- No constant of any statement.
SELECT count(*) AS told FROM query_shaper.row_estimates WHERE clauses ~ 'text|20|''';
SELECT count(DISTINCT key) = count(*) AS unique FROM query_shaper.row_estimate_data;

-- Who sees them.
CREATE ROLE regress_counted;
CREATE ROLE regress_uncounted;
CREATE ROLE regress_counter IN ROLE pg_read_all_stats;
GRANT SELECT ON pairs TO regress_counted;
CREATE FUNCTION visible() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(DISTINCT relations, '; ' ORDER BY relations) FROM query_shaper.row_estimates WHERE relations LIKE 'public.%'
$$;
SET ROLE regress_counter;
SELECT visible();
SET ROLE regress_uncounted;
SELECT visible(), (SELECT count(*) FROM query_shaper.row_estimates WHERE relations = '') AS without_table;
SELECT count(*) FROM query_shaper.row_estimate_data;
SELECT count(*) FROM query_shaper.known_plan_data;
SET ROLE regress_counted;
SELECT visible();
RESET ROLE;
ALTER TABLE pairs ENABLE ROW LEVEL SECURITY;
SET ROLE regress_counted;
SELECT visible();
SET ROLE regress_counter;
SELECT visible();
RESET ROLE;
ALTER TABLE pairs DISABLE ROW LEVEL SECURITY;

-- Under row security nothing is learned: the same clauses show each role other rows, and none how many another one sees.
CREATE TABLE owned (owner text, kind int);
INSERT INTO owned SELECT CASE WHEN g % 10 = 0 THEN 'regress_counted' ELSE 'regress_uncounted' END, g % 3 FROM generate_series(1, 3000) g;
ANALYZE owned;
CREATE POLICY own ON owned USING (owner = current_user);
ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON owned TO regress_counted, regress_uncounted;
RESET query_shaper.mode;
SET ROLE regress_counted;
SELECT count(*) FROM owned WHERE kind = 1;
SELECT count(*) FROM (SELECT * FROM owned) o WHERE kind = 1 AND EXISTS (SELECT FROM owned i WHERE i.kind = 2);
SET ROLE regress_uncounted;
SELECT estimate('SELECT * FROM owned WHERE kind = 1') <> 100 AS natural;
RESET ROLE;
SET query_shaper.mode = off;
SELECT query_shaper.flush();
SELECT relations, clauses, kind FROM query_shaper.row_estimates WHERE relations LIKE '%owned%';
DROP TABLE owned;

-- There and back again.
CREATE TEMP TABLE parcel AS SELECT query_shaper.export_knowledge() AS knowledge;
SELECT jsonb_array_length(knowledge -> 'row_estimates') = (SELECT count(*) FROM query_shaper.row_estimate_data) AS rows,
  jsonb_array_length(knowledge -> 'known_plans') = (SELECT count(*) FROM query_shaper.known_plan_data) AS plans FROM parcel;
SELECT query_shaper.reset();
RESET query_shaper.mode;
SELECT (SELECT count(*) FROM query_shaper.row_estimates WHERE relations LIKE 'public.%') AS left_over,
  estimate('SELECT * FROM pairs WHERE x = 5 AND y = 5') < 20 AS natural;
SET query_shaper.mode = off;
SELECT query_shaper.import_knowledge(knowledge) FROM parcel;
SELECT query_shaper.import_knowledge(knowledge) FROM parcel;
SELECT query_shaper.flush();
SELECT jsonb_path_query_array(knowledge, '$.row_estimates[*] ? (@.names[0] == "pairs")')
  = jsonb_path_query_array(query_shaper.export_knowledge(), '$.row_estimates[*] ? (@.names[0] == "pairs")') AS same FROM parcel;
RESET query_shaper.mode;
SELECT estimate('SELECT * FROM pairs WHERE x = 5 AND y = 5') AS exact;
SET query_shaper.mode = off;
-- A document of before has none; a damaged one is refused.
SELECT query_shaper.import_knowledge(knowledge - 'row_estimates' - 'known_plans') FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{row_estimates,0,state}', '"AAAA"')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{row_estimates,0,names}', '"pairs"')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{row_estimates,0,names}', '[["pairs"]]')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{row_estimates,0,names}', '[null, null, null, null, null, null, null, null, null]')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{row_estimates,0,seen}', '-1')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{known_plans}', '{}')) FROM parcel;

-- A transaction that forgets and is rolled back forgets nothing.
BEGIN;
SELECT query_shaper.reset();
ROLLBACK;
RESET query_shaper.mode;
SELECT estimate('SELECT * FROM pairs WHERE x = 5 AND y = 5') AS exact;

-- A table that changes much is learned anew.
INSERT INTO pairs SELECT g % 100, g % 100, 'more' FROM generate_series(1, 60000) g;
VACUUM ANALYZE pairs;
SELECT estimate('SELECT * FROM pairs WHERE x = 5 AND y = 5') < 50 AS natural;
SELECT count(*) FROM pairs WHERE x = 5 AND y = 5;
SELECT estimate('SELECT * FROM pairs WHERE x = 5 AND y = 5') AS exact;
SELECT query_shaper.flush();
-- Rows of a table that is gone are not shown.
SELECT count(*) > 0 AS shown FROM query_shaper.row_estimates WHERE relations LIKE '%pairs%';
DROP TABLE pairs;
SELECT count(*) > 0 AS shown FROM query_shaper.row_estimates WHERE relations LIKE '%pairs%';
-- Created anew under its name it is the same, if it has that size.
CREATE TABLE pairs AS SELECT g % 100 AS x, g % 100 AS y, 'new' AS z FROM generate_series(1, 80000) g;
VACUUM ANALYZE pairs;
SELECT estimate('SELECT * FROM pairs WHERE x = 5 AND y = 5') AS exact;
DROP TABLE pairs;
-- Temporary tables are known while the server runs, and not stored.
CREATE TEMP TABLE passing AS SELECT g % 100 AS x, g % 100 AS y FROM generate_series(1, 10000) g;
ANALYZE passing;
SELECT count(*) FROM passing WHERE x = 5 AND y = 5;
SELECT estimate('SELECT * FROM passing WHERE x = 5 AND y = 5') AS exact;
SELECT query_shaper.flush();
SELECT count(*) AS stored FROM query_shaper.row_estimate_data WHERE 'passing' = ANY (names);

DROP TABLE singles;
DROP FUNCTION estimate(text);
DROP FUNCTION visible();
DROP ROLE regress_counted, regress_uncounted, regress_counter;
