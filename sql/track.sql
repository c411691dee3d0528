-- Every way to run a query is tracked and ends in the history.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.min_cost = 0;
SET query_shaper.mode = off;
CREATE TABLE followed (id int, kind int);
INSERT INTO followed SELECT g, g % 10 FROM generate_series(1, 1000) g;
CREATE TABLE parted (id int, kind int) PARTITION BY LIST (kind);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES IN (0, 1, 2, 3, 4);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (5, 6, 7, 8, 9);
INSERT INTO parted SELECT * FROM followed;
ANALYZE followed, parted;
CREATE FUNCTION summed() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT sum(id) AS t_nested FROM followed);
END $$;
SET query_shaper.mode = observe;

SELECT count(*) AS t_plain FROM followed;
SELECT summed();
DO $$ BEGIN PERFORM count(id) AS t_block FROM followed; END $$;
BEGIN;
DECLARE c CURSOR FOR SELECT id AS t_cursor FROM parted_0;
FETCH 10 FROM c;
CLOSE c;
COMMIT;
COPY (SELECT id AS t_copied FROM followed WHERE id <= 3) TO STDOUT;
CREATE TABLE made AS SELECT id AS t_made FROM followed WHERE id <= 3;
INSERT INTO followed SELECT id + 1000, kind AS t_inserted FROM followed;
UPDATE followed AS t_updated SET kind = kind + 1 WHERE id > 1000;
DELETE FROM followed AS t_deleted WHERE id > 1500;
SELECT count(*) AS t_parted FROM parted;
PREPARE p AS SELECT count(*) AS t_prepared FROM followed WHERE kind = $1;
EXECUTE p(3);
EXECUTE p(4);
SELECT 1 / (id - 500) AS t_failed FROM followed WHERE id = 500;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT count(*) AS t_parallel FROM followed;
SET query_shaper.mode = off;
SELECT query_shaper.flush();
SELECT substring(query FROM 't_\w+') AS statement, sum(calls) AS calls, sum(failed_calls) AS failed, sum(rows) AS rows,
  bool_and(mean_ms >= 0 AND stddev_ms >= 0) AS mean, bool_and(min_ms <= mean_ms AND mean_ms <= max_ms) AS between,
  bool_and(peak_memory_kb >= 0 AND temp_kb >= 0) AS memory, sum(blocks_hit + blocks_read) > 0 AS blocks
FROM query_shaper.history WHERE query ~ '\mt_\w+' GROUP BY 1 ORDER BY min(substring(query FROM 't_\w+') COLLATE "C");
-- A statement that was cut off tells less than one that ended.
SELECT last_run ->> 'error' AS error, last_run ->> 'complete' AS complete, jsonb_array_length(last_run -> 'nodes') AS nodes
FROM query_shaper.history_data WHERE query ~ 't_failed';
DROP TABLE followed, parted, made;
DROP FUNCTION summed();
