-- Results of correlated subqueries are kept by the values of their parameters: same rows, fewer runs.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.min_cost = 0;
SET max_parallel_workers_per_gather = 0;
CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE memo_inner (id int PRIMARY KEY, k int, word text, amount numeric, ratio float8, tag name, span interval, data bytea);
INSERT INTO memo_inner SELECT g, nullif(g % 13, 5), chr(97 + g % 7) || repeat('x', g % 3), (g % 9)::numeric / 4,
  g % 5 - 2, 'tag' || g % 4, make_interval(hours => g % 6), decode(lpad(to_hex(g % 8), 4, '0'), 'hex')
  FROM generate_series(1, 400) g;
CREATE TABLE memo_outer (id int PRIMARY KEY, k int, j int, word text, blinded text COLLATE blind, amount numeric, ratio float8,
  tag name, span interval, data bytea, long text, list int[], pair int4range, far text);
ALTER TABLE memo_outer ALTER far SET STORAGE EXTERNAL;
INSERT INTO memo_outer SELECT g, nullif(g % 13, 4), g % 3, chr(97 + g % 7) || repeat('x', g % 3),
  (ARRAY['a', 'A', 'b', 'B'])[1 + g % 4],
  (ARRAY['0.5', '0.50', '1', '1.00', '1.250', 'NaN'])[1 + g % 6]::numeric,
  (ARRAY['0', '-0', '1', '-1', 'NaN'])[1 + g % 5]::float8, 'tag' || g % 4, make_interval(mins => 60 * (g % 6)),
  decode(lpad(to_hex(g % 8), 4, '0'), 'hex'), repeat(md5((g % 3)::text), 400 * (g % 3)), ARRAY[g % 4, g % 3],
  int4range(g % 4, g % 4 + 3), repeat(md5((g % 3)::text), 80 * (g % 3))
  FROM generate_series(1, 600) g;
ANALYZE memo_inner, memo_outer;

CREATE FUNCTION hits() RETURNS float8 LANGUAGE sql AS
$$ SELECT value FROM query_shaper.metrics WHERE name = 'subplan_memo_hits_total' $$;
-- Runs a query without and with memos; the order of rows counts.
CREATE FUNCTION compare(query text, OUT same bool, OUT answered bool) LANGUAGE plpgsql AS $$
DECLARE
  without text[];
  with_memos text[];
  before float8;
BEGIN
  PERFORM set_config('query_shaper.memoize_subplans', 'off', true);
  EXECUTE 'SELECT array_agg(r::text) FROM (' || query || ' OFFSET 0) r' INTO without;
  PERFORM set_config('query_shaper.memoize_subplans', 'on', true);
  before := hits();
  EXECUTE 'SELECT array_agg(r::text) FROM (' || query || ' OFFSET 0) r' INTO with_memos;
  answered := hits() > before;
  same := without IS NOT DISTINCT FROM with_memos AND cardinality(without) > 0;
END $$;
CREATE FUNCTION explained(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, VERBOSE) ' || query LOOP
    RETURN NEXT regexp_replace(regexp_replace(line, 'Query Identifier: .*|Memory Usage: \d+kB', '...'), '(Hits: |Misses: |rows=|loops=|Filter: )\d\d+', '\1N', 'g');
  END LOOP;
END $$;
CREATE FUNCTION stable_half(x int) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN x / 2; END';
CREATE SEQUENCE drawn;
CREATE FUNCTION volatile_half(x int) RETURNS int VOLATILE LANGUAGE plpgsql AS
$$ BEGIN PERFORM nextval('drawn'); RETURN x / 2; END $$;
CREATE FUNCTION sneaky(state int, x int) RETURNS int VOLATILE LANGUAGE plpgsql AS
$$ BEGIN PERFORM nextval('drawn'); RETURN coalesce(state, 0) + x; END $$;
CREATE AGGREGATE sneaky_sum(int) (SFUNC = sneaky, STYPE = int);

-- Kinds of subqueries.
SELECT * FROM compare('SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT i.word FROM memo_inner i WHERE i.k = o.k ORDER BY i.id LIMIT 1) FROM memo_outer o');
SELECT * FROM compare('SELECT id, EXISTS (SELECT FROM memo_inner i WHERE i.k >= o.k AND i.k < o.k + o.j AND i.id > 390) FROM memo_outer o');
SELECT * FROM compare('SELECT id FROM memo_outer o WHERE NOT EXISTS (SELECT FROM memo_inner i WHERE i.k >= o.k AND i.k < o.k + o.j AND i.id > 390) OR o.id < 5');
SELECT * FROM compare('SELECT id, ARRAY(SELECT i.id FROM memo_inner i WHERE i.k = o.k ORDER BY i.id DESC) FROM memo_outer o');
SELECT * FROM compare('SELECT id, ARRAY(SELECT i.word FROM memo_inner i WHERE i.k = o.k AND i.id > 390) FROM memo_outer o');
SELECT * FROM compare('SELECT id, o.id IN (SELECT i.id FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o');
SELECT * FROM compare('SELECT id, o.j NOT IN (SELECT i.k FROM memo_inner i WHERE i.id < o.k * 20) FROM memo_outer o');
SELECT * FROM compare('SELECT id, o.id > ANY (SELECT i.id FROM memo_inner i WHERE i.k = o.k ORDER BY i.id DESC) FROM memo_outer o');
SELECT * FROM compare('SELECT id, o.id > ALL (SELECT i.id FROM memo_inner i WHERE i.k = o.k ORDER BY i.id) FROM memo_outer o');
SELECT * FROM compare('SELECT id, o.id <= ALL (SELECT i.id FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (o.id, o.j) > (SELECT max(i.id), 1 FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (o.id, o.j) = ANY (SELECT i.id, i.id % 3 FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT i FROM memo_inner i WHERE i.k = o.k ORDER BY i.id LIMIT 1) FROM memo_outer o');

-- Parameters: none of the kind equal means identical.
SELECT * FROM compare('SELECT id, (SELECT count(*) || o.amount::text FROM memo_inner i WHERE i.amount = o.amount) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT count(*) || o.ratio::text FROM memo_inner i WHERE i.ratio = o.ratio) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT count(*) || o.span::text FROM memo_inner i WHERE i.span = o.span) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT max(o.blinded || i.word) FROM memo_inner i WHERE i.word COLLATE blind = o.blinded) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.word = o.word) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.tag = o.tag) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.data = o.data) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT sum(i.id) + length(o.long) FROM memo_inner i WHERE i.k IS NULL AND left(o.long, 1) > ''0'') FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT sum(i.id) + length(o.far) FROM memo_inner i WHERE i.k IS NULL AND left(o.far, 1) > ''0'') FROM memo_outer o, generate_series(1, 3)');
SELECT * FROM compare('SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.k = ANY (o.list)) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE o.pair @> i.k) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.k IS NOT DISTINCT FROM o.k) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k AND i.id % 3 = o.j) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT array_agg(i.id) FROM memo_inner i WHERE (i.k, i.id % 3) = (o.k, o.j)) FROM memo_outer o');

-- Shapes of the subquery and of what stands around it.
SELECT * FROM compare('SELECT id, (SELECT count(*) FROM memo_inner i WHERE i.k = o.k AND i.id > (SELECT avg(h.id) FROM memo_inner h WHERE h.k = i.k)) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT count(*) FROM memo_inner i WHERE i.k = o.k AND i.id > (SELECT avg(h.id) FROM memo_inner h WHERE h.k = i.k AND h.id % 3 = o.j)) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT sum(i.id + (SELECT max(h.id) FROM memo_inner h WHERE h.k = o.k)) FROM memo_inner i WHERE i.id < o.j + 3) FROM memo_outer o');
SELECT * FROM compare('SELECT o.id, l.* FROM (SELECT * FROM memo_outer LIMIT 40) o, LATERAL (SELECT (SELECT sum(h.id) FROM memo_inner h WHERE h.k = i.k AND h.id % 3 = o.id % 3) FROM memo_inner i LIMIT 50) l');
SELECT * FROM compare('SELECT id, (WITH c AS MATERIALIZED (SELECT * FROM memo_inner i WHERE i.k = o.k) SELECT count(*) FROM c a JOIN c b USING (word)) FROM memo_outer o');
SELECT * FROM compare('WITH c AS MATERIALIZED (SELECT * FROM memo_inner) SELECT id, (SELECT count(*) FROM c WHERE c.k = o.k) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (WITH RECURSIVE r AS (SELECT o.j AS n UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT sum(i.id) FROM memo_inner i, r WHERE i.k = r.n) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT string_agg(u.word, '','' ORDER BY u.word) FROM (SELECT i.word FROM memo_inner i WHERE i.k = o.k UNION SELECT o.j::text) u) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT max(r) FROM (SELECT rank() OVER (ORDER BY i.word) r FROM memo_inner i WHERE i.k = o.k) w) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT sum(g) FROM generate_series(1, o.k * 300) g) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT count(*) FROM memo_inner a JOIN memo_inner b ON a.id = b.id WHERE a.k = o.k) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT count(*) FROM (SELECT * FROM memo_inner WHERE id < 9 OFFSET 0) a, memo_inner b WHERE a.id = b.id AND a.k <= o.k) FROM memo_outer o');
SELECT * FROM compare('SELECT id, (SELECT sum(stable_half(i.id)) FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o');
SELECT * FROM compare('SELECT k, (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) s FROM memo_outer o GROUP BY k, id ORDER BY s, id');
SELECT * FROM compare('SELECT id, CASE WHEN j = 1 THEN (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) ELSE (SELECT max(i.id) FROM memo_inner i WHERE i.k = o.k) END FROM memo_outer o');
SELECT * FROM compare('SELECT a.id, b.id FROM memo_outer a LEFT JOIN memo_outer b ON a.id = b.id AND (SELECT sum(i.id) FROM memo_inner i WHERE i.k = b.k) > 5000');
SELECT * FROM compare('SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o WHERE id % 2 = 0 UNION ALL SELECT id, (SELECT min(i.id) FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o');

-- Left alone: what is volatile, sampled or not correlated.
SELECT setval('drawn', 1);
SELECT count(*), sum(x) FROM (SELECT (SELECT max(volatile_half(i.id)) FROM memo_inner i WHERE i.id = o.k) x FROM memo_outer o OFFSET 0) s;
SELECT nextval('drawn') > 500 AS drawn_for_each_row;
SELECT setval('drawn', 1);
SELECT count(*), sum(x) FROM (SELECT (SELECT sneaky_sum(i.id) FROM memo_inner i WHERE i.id = o.k) x FROM memo_outer o OFFSET 0) s;
SELECT nextval('drawn') > 500 AS drawn_for_each_row;
SELECT count(DISTINCT x) > 500 AS random_each_time
  FROM (SELECT (SELECT random() FROM memo_inner i WHERE i.id = o.k) x FROM memo_outer o WHERE k > 0 OFFSET 0) s;
SELECT answered FROM compare('SELECT id, (SELECT count(*) FROM memo_inner i TABLESAMPLE SYSTEM (100) WHERE i.k = o.k) FROM memo_outer o');
SELECT answered FROM compare('SELECT id, (SELECT max(id) FROM memo_inner) FROM memo_outer o');
SELECT answered FROM compare('SELECT id, id IN (SELECT id FROM memo_inner) FROM memo_outer o');
SELECT answered FROM compare('SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o WHERE id <= 10');

-- Memory is bounded: results that do not fit are not kept, others go on.
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SELECT * FROM compare('SELECT id, length(array_to_string(ARRAY(SELECT i.word || repeat(''y'', 90) FROM memo_inner i WHERE i.k < o.k), '','')) FROM memo_outer o');
SELECT * FROM compare('SELECT m, (SELECT repeat(i.word, 1000) FROM memo_inner i WHERE i.id + 0 = m) FROM (SELECT id % 97 AS m FROM memo_outer OFFSET 0) o');
SELECT * FROM compare('SELECT m, (SELECT count(*) FROM memo_inner i WHERE i.id + 0 < m) FROM (SELECT a.id * b.id AS m FROM memo_outer a, memo_outer b WHERE a.id <= 60 AND b.id <= 60 OFFSET 0) o');
RESET work_mem;
RESET hash_mem_multiplier;

-- Errors in the middle, and the same statement afterwards.
SELECT id, (SELECT sum(i.id / (o.id - 300)) FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o;
SELECT id, (SELECT i.id FROM memo_inner i WHERE i.k = nullif(o.k, 6) AND (o.k <> 7 OR i.id < 400) AND i.id < 13 + o.k) FROM memo_outer o WHERE k <= 12 AND id < 100 AND (SELECT true FROM memo_inner i WHERE i.k = o.k AND i.id < (CASE WHEN o.id > 50 THEN 100 ELSE 13 END));
DO $$
DECLARE total numeric := 0; failed int := 0;
BEGIN
  FOR n IN 1 .. 3 LOOP
    BEGIN
      PERFORM sum((SELECT sum(i.id / (o.id - 100 * n)) FROM memo_inner i WHERE i.k = o.k)) FROM memo_outer o;
    EXCEPTION WHEN division_by_zero THEN failed := failed + 1;
    END;
    total := total + (SELECT sum((SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k)) FROM memo_outer o);
  END LOOP;
  RAISE NOTICE '% failed, % in all', failed, total;
END $$;

-- Where statements come from: DML, triggers, cursors, functions, prepared statements, CREATE TABLE AS.
CREATE TABLE memo_target AS SELECT id, (SELECT sum(i.id)::numeric AS s FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o;
CREATE TABLE memo_plain (id int, s numeric);
SET query_shaper.memoize_subplans = off;
INSERT INTO memo_plain SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o;
SET query_shaper.memoize_subplans = on;
SELECT count(*) FROM memo_target JOIN memo_plain p USING (id) WHERE p.s IS NOT DISTINCT FROM memo_target.s;
-- A statement sees no row of its own.
UPDATE memo_target t SET s = (SELECT sum(u.s) FROM memo_target u WHERE u.id % 5 = t.id % 5);
SELECT count(DISTINCT s), count(DISTINCT id % 5) FROM memo_target;
CREATE FUNCTION doubled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE memo_inner SET amount = amount + 1 WHERE id = 1;
  NEW.s := NEW.s + (SELECT count(*) FROM memo_inner i WHERE i.k = NEW.id % 3);
  RETURN NEW;
END $$;
CREATE TRIGGER doubling BEFORE UPDATE ON memo_target FOR EACH ROW EXECUTE FUNCTION doubled();
UPDATE memo_target t SET s = (SELECT sum(i.amount) FROM memo_inner i WHERE i.k = t.id % 13);
UPDATE memo_plain p SET s = (SELECT sum(i.amount) FROM memo_inner i WHERE i.k = p.id % 13) - CASE p.id % 13 WHEN 1 THEN 600 ELSE 0 END
  + (SELECT count(*) FROM memo_inner i WHERE i.k = p.id % 3);
SELECT count(*) FROM memo_target JOIN memo_plain p USING (id) WHERE p.s IS NOT DISTINCT FROM memo_target.s;
DELETE FROM memo_target t WHERE (SELECT count(*) FROM memo_target u WHERE u.id % 7 = t.id % 7) > 85;
SELECT count(*), count(DISTINCT id % 7) FROM memo_target;
INSERT INTO memo_target SELECT id, 0 FROM memo_outer o WHERE (SELECT count(*) FROM memo_target u WHERE u.id = o.k) > 0
  AND id < 10 RETURNING id, (SELECT count(*) FROM memo_inner i WHERE i.k = memo_target.id);
CREATE FUNCTION changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '%', (SELECT sum((SELECT sum(n.s - b.s) FROM after_it n JOIN before_it b USING (id) WHERE n.id % 3 = o.j)) FROM memo_outer o);
  RETURN NULL;
END $$;
CREATE TRIGGER changing AFTER UPDATE ON memo_plain REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it FOR EACH STATEMENT EXECUTE FUNCTION changes();
UPDATE memo_plain SET s = s + 1;
BEGIN;
DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o ORDER BY id;
FETCH ABSOLUTE 590 FROM c;
FETCH BACKWARD 2 FROM c;
DECLARE f SCROLL CURSOR FOR SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o;
MOVE 300 IN f;
FETCH 2 FROM f;
FETCH BACKWARD 3 FROM f;
DECLARE l CURSOR FOR SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o FOR UPDATE;
MOVE 100 IN l;
FETCH l;
UPDATE memo_outer SET j = j WHERE CURRENT OF l;
COMMIT;
FETCH ABSOLUTE 600 FROM c;
CLOSE c;
CREATE FUNCTION looked_up(top int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE r record; total bigint := 0;
BEGIN
  FOR r IN SELECT (SELECT sum(i.id) + top FROM memo_inner i WHERE i.k = o.k) s FROM memo_outer o LOOP
    top := top + 1;
    total := total + coalesce(r.s, 0);
  END LOOP;
  RETURN total;
END $$;
SELECT looked_up(10), looked_up(20);
PREPARE p AS SELECT sum((SELECT sum(i.id) + $1 FROM memo_inner i WHERE i.k = o.k)) FROM memo_outer o;
EXECUTE p(1);
EXECUTE p(2);

-- Beside parallel workers: correlated subqueries run in the leader.
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT same FROM compare('SELECT count(*), sum(s) FROM (SELECT (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) s FROM memo_outer o) x');
SET parallel_leader_participation = off;
SELECT * FROM compare('SELECT count(*), sum((SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k)) FROM memo_outer o');
SELECT * FROM explained('SELECT count(*) FROM memo_outer o WHERE (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) > 0');
RESET parallel_leader_participation;
SET max_parallel_workers_per_gather = 0;

-- A statement that was planned cheap and runs long.
SET query_shaper.min_cost = 1e12;
SET query_shaper.late_tracking = '1ms';
SELECT * FROM compare('SELECT id, (SELECT count(*) FROM memo_inner i, memo_inner h WHERE i.k = o.k AND h.k <> i.k) FROM memo_outer o');
RESET query_shaper.late_tracking;
SET query_shaper.min_cost = 0;

-- EXPLAIN shows a memo that has answered, and the runs that are left below it.
-- Planned by the statistics alone, whatever was learned before.
SET query_shaper.learn_rows = off;
SELECT * FROM explained('SELECT id, (SELECT count(*) FROM memo_inner a, memo_inner b, memo_inner c WHERE a.k = o.k AND a.id = b.id AND b.k = c.k AND o.j = c.id % 3) FROM memo_outer o');
SELECT * FROM explained('SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o WHERE id < 4');
EXPLAIN (COSTS OFF) SELECT id, (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) FROM memo_outer o;
RESET query_shaper.learn_rows;

-- What is said about it.
SELECT clock_timestamp() AS since \gset
SELECT count(s) FROM (SELECT (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) s FROM memo_outer o OFFSET 0) x;
SET query_shaper.memoize_subplans = advise;
SELECT count(s) FROM (SELECT (SELECT sum(i.id) FROM memo_inner i WHERE i.k = o.k) s FROM memo_outer o, generate_series(1, 3) OFFSET 0) x;
SET query_shaper.memoize_subplans = on;
SELECT count(s) FROM (SELECT (SELECT max(volatile_half(i.id)) FROM memo_inner i WHERE i.id = o.k) s FROM memo_outer o, generate_series(1, 2) OFFSET 0) x;
SELECT query_shaper.flush();
SELECT verdict, node_id, reason, (details ->> 'hits')::int > 200 AS many_hits,
  (details ->> 'hits')::int + (details ->> 'misses')::int <= (details ->> 'runs')::int AS adds_up
  FROM query_shaper.events WHERE action = 'memoize' AND at > :'since' ORDER BY at;
DROP TABLE memo_inner, memo_outer, memo_target, memo_plain;
DROP FUNCTION hits, compare, stable_half, volatile_half, explained, looked_up, doubled, changes;
DROP AGGREGATE sneaky_sum(int);
DROP FUNCTION sneaky;
DROP SEQUENCE drawn;
DROP COLLATION blind;
