-- Who may see and do what.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.min_cost = 0;
SET query_shaper.mode = off;
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_owner, regress_stranger, regress_reader, regress_member;
RESET client_min_messages;
CREATE ROLE regress_owner LOGIN;
CREATE ROLE regress_stranger LOGIN;
CREATE ROLE regress_reader LOGIN IN ROLE pg_read_all_stats;
CREATE ROLE regress_member LOGIN IN ROLE regress_owner;
CREATE TABLE secret (id int);
INSERT INTO secret SELECT generate_series(1, 100);
GRANT SELECT ON secret TO regress_owner;

SET ROLE regress_owner;
RESET query_shaper.mode;
SELECT count(*) FROM secret WHERE id > 7;
SET query_shaper.mode = off;
SELECT query_shaper.flush();
SELECT calls, usename FROM query_shaper.history WHERE query LIKE 'SELECT count(*) FROM secret%';
SELECT query_id FROM query_shaper.history WHERE query LIKE 'SELECT count(*) FROM secret%' \gset

RESET ROLE;

-- The SQLSTATE instead of messages that name this run's ids.
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE statement INTO result;
  RETURN left(result, 5);
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;

-- Strangers see nothing of it, readers of statistics and members of the role do.
SET ROLE regress_stranger;
SELECT count(*) FROM query_shaper.history WHERE query_id = :query_id;
SELECT count(*) FROM query_shaper.predictions WHERE query_id = :query_id;
SELECT outcome('SELECT query_shaper.report(' || :query_id || ')') AS report,
  outcome('SELECT query_shaper.forget(' || :query_id || ')') AS forget;
SET ROLE regress_reader;
SELECT count(*) FROM query_shaper.history WHERE query_id = :query_id;
SELECT outcome('SELECT query_shaper.report(' || :query_id || ')') AS report,
  outcome('SELECT query_shaper.forget(' || :query_id || ')') AS forget;
SELECT jsonb_array_length(query_shaper.export_knowledge() -> 'history') > 0 AS exported;
SET ROLE regress_member;
SELECT count(*) FROM query_shaper.history WHERE query_id = :query_id;
SELECT count(*) FROM query_shaper.predictions WHERE query_id = :query_id;

-- Not even through a function that tells what it is shown.
SET ROLE regress_stranger;
CREATE FUNCTION pg_temp.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
  RAISE NOTICE 'seen: %', $1;
  RETURN true;
END $$;
SELECT count(*) FROM query_shaper.history WHERE pg_temp.tell(query);
DROP FUNCTION pg_temp.tell(text);
-- The tables are the owner's alone, and so is what changes them.
SELECT count(*) FROM query_shaper.history_data;
DELETE FROM query_shaper.event_data;
SELECT query_shaper.train();
SELECT query_shaper.reset();
SELECT query_shaper.export_knowledge();
SELECT query_shaper.import_knowledge('{}');
-- A prediction needs the right to run the statement.
SELECT query_shaper.predict('SELECT * FROM secret');
SELECT query_shaper.fingerprint('SELECT * FROM secret');
SELECT count(*) AS metrics FROM query_shaper.metrics WHERE value < 0;
SELECT count(*) AS models FROM query_shaper.models;
SELECT count(*) FROM query_shaper.activity;
-- Forgetting one's own.
SET ROLE regress_owner;
SELECT query_shaper.forget(:query_id);
SELECT count(*) FROM query_shaper.history WHERE query_id = :query_id;
RESET ROLE;

-- Limits of an administrator.
SET ROLE regress_stranger;
SET query_shaper.mode = off;
SET query_shaper.history_max = 10;
RESET ROLE;
DROP FUNCTION outcome(text);
DROP TABLE secret;
DROP ROLE regress_owner, regress_stranger, regress_reader, regress_member;
-- What a dropped role ran is nobody's but the readers'.
SELECT bool_and(usename IS NOT NULL) AS named FROM query_shaper.history;
