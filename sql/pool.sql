-- Pool: what statements reserve of memory, workers and I/O.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
DROP ROLE IF EXISTS regress_pool_user;
RESET client_min_messages;
CREATE ROLE regress_pool_user LOGIN;
CREATE FUNCTION capacity(wanted text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE result bigint;
BEGIN
  FOR i IN 1..3000 LOOP
    SELECT capacity INTO result FROM query_shaper.pool WHERE resource = wanted;
    IF result IN (102400, 77) THEN RETURN result; END IF;
    PERFORM pg_sleep(0.01);
  END LOOP;
  RETURN result;
END $$;
-- Large ones alone: what looks at the view reserves little, if anything.
CREATE VIEW held AS SELECT count(*) AS reservations, coalesce(bool_and(memory_kb > 0 AND memory_kb <= wanted_kb), true)
  AS sane FROM query_shaper.reservations WHERE pid = pg_backend_pid() AND wanted_kb > 500;

SELECT resource, capacity > 0 AS capacity, reserved >= 0 AS reserved, used, waiting FROM query_shaper.pool
WHERE resource <> 'memory' ORDER BY resource COLLATE "C";
SELECT capacity > 0 AS capacity, reserved >= 0 AND reserved <= capacity AS reserved, used >= 0 AS used, waiting, free <= capacity AS free
FROM query_shaper.pool WHERE resource = 'memory';

-- The administrator's word, and nonsense.
ALTER SYSTEM SET query_shaper.memory_pool = 'much';
ALTER SYSTEM SET query_shaper.memory_pool = '-1MB';
ALTER SYSTEM SET query_shaper.memory_pool = '7 parsecs';
SET query_shaper.memory_pool = '1GB';
ALTER SYSTEM SET query_shaper.memory_pool = '100MB';
ALTER SYSTEM SET query_shaper.io_pool = 77;
SELECT pg_reload_conf();
SELECT capacity('memory'), capacity('io');
SHOW query_shaper.memory_pool;

-- A cursor holds its reservation until it is closed, its transaction ends, or its subtransaction is undone.
SET query_shaper.min_cost = 1000;
SET jit = off;
BEGIN;
SELECT reservations FROM held;
DECLARE sorted CURSOR FOR SELECT g, md5(g::text) AS m FROM generate_series(1, 200000) g ORDER BY m;
SELECT * FROM held;
FETCH 1 FROM sorted;
SELECT * FROM held;
CLOSE sorted;
SELECT * FROM held;
SAVEPOINT before;
DECLARE sorted CURSOR FOR SELECT g, md5(g::text) AS m FROM generate_series(1, 200000) g ORDER BY m;
SELECT reservations FROM held;
ROLLBACK TO before;
SELECT reservations FROM held;
DECLARE sorted CURSOR FOR SELECT g, md5(g::text) AS m FROM generate_series(1, 200000) g ORDER BY m;
SELECT reservations FROM held;
COMMIT;
SELECT reservations FROM held;
-- WITH HOLD it is run to its end at commit.
BEGIN;
DECLARE kept CURSOR WITH HOLD FOR SELECT g, md5(g::text) AS m FROM generate_series(1, 20000) g ORDER BY m;
COMMIT;
SELECT reservations FROM held;
CLOSE kept;
-- An error ends it.
SELECT sum(1 / (g - 150000)) FROM (SELECT g, md5(g::text) AS m FROM generate_series(1, 200000) g ORDER BY m) s;
SELECT reservations FROM held;
-- An exception that is caught, and a loop over a query that is left.
DO $$
DECLARE r record; n bigint;
BEGIN
  FOR r IN SELECT g, md5(g::text) AS m FROM generate_series(1, 200000) g ORDER BY m LOOP
    SELECT reservations INTO n FROM held;
    RAISE NOTICE 'while it runs: %', n;
    BEGIN
      PERFORM sum(1 / (g - 150000)) FROM (SELECT g, md5(g::text) AS m FROM generate_series(1, 200000) g ORDER BY m) s;
    EXCEPTION WHEN division_by_zero THEN
      SELECT reservations INTO n FROM held;
      RAISE NOTICE 'after the error: %', n;
    END;
    EXIT;
  END LOOP;
  SELECT reservations INTO n FROM held;
  RAISE NOTICE 'after the loop: %', n;
END $$;
SELECT reservations FROM held;

-- Below shape nothing is reserved; with memory off what the server's own settings allow.
SET query_shaper.mode = observe;
BEGIN;
DECLARE sorted CURSOR FOR SELECT g, md5(g::text) AS m FROM generate_series(1, 200000) g ORDER BY m;
SELECT reservations FROM held;
COMMIT;
RESET query_shaper.mode;
SET query_shaper.memory = off;
BEGIN;
DECLARE sorted CURSOR FOR SELECT g, md5(g::text) AS m FROM generate_series(1, 200000) g ORDER BY m;
SELECT max(memory_kb) <= 8192 AS floor FROM query_shaper.reservations WHERE pid = pg_backend_pid();
COMMIT;
RESET query_shaper.memory;

-- Others' reservations are not shown; all see the pool.
GRANT SELECT ON held TO regress_pool_user;
BEGIN;
DECLARE sorted CURSOR FOR SELECT g, md5(g::text) AS m FROM generate_series(1, 200000) g ORDER BY m;
SET LOCAL ROLE regress_pool_user;
SELECT count(*) FROM query_shaper.reservations WHERE pid = pg_backend_pid() AND usename <> 'regress_pool_user';
SELECT count(*) FROM query_shaper.pool;
SET query_shaper.admission = on;
ROLLBACK;

SELECT name, labels FROM query_shaper.metrics WHERE name LIKE 'pool\_slice%' ORDER BY name COLLATE "C", labels;

DROP VIEW held;
DROP FUNCTION capacity(text);
ALTER SYSTEM RESET query_shaper.memory_pool;
ALTER SYSTEM RESET query_shaper.io_pool;
SELECT pg_reload_conf();
DROP ROLE regress_pool_user;
