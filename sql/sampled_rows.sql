-- Joins that give out very many rows are counted in a share of the ticks: what is learned of them is right nevertheless.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SELECT query_shaper.reset();
SET jit = off;
SET max_parallel_workers_per_gather = 0;
SET query_shaper.shadow = off;
SET query_shaper.tick_interval = '1ms';
CREATE TABLE few AS SELECT i % 4 AS k, i FROM generate_series(1, 2000) i;
CREATE TABLE many AS SELECT i % 4 AS k, i FROM generate_series(1, 10000) i;
ANALYZE few, many;

SELECT count(*) FROM few JOIN many USING (k);
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT count(*) FROM few JOIN many ON few.k = many.k AND few.i <= 1000;
-- One outer row has most of the matches.
SELECT count(*) FROM few JOIN many ON few.k < 2 AND (few.i = 1 OR many.i <= 1500);
-- A cursor leaves the executor in the middle of the join, what runs between its rows is not the join's.
BEGIN;
DECLARE groups CURSOR FOR SELECT many.k, count(*) FROM few JOIN many ON few.k >= 2 AND many.i % 2 = 0 GROUP BY 1;
FETCH 1 FROM groups \gset first_
SELECT count(*) FROM generate_series(1, 300000);
MOVE ALL FROM groups;
COMMIT;
SELECT query_shaper.flush();
SELECT clauses, CASE WHEN actual_rows / r.rows BETWEEN 0.7 AND 1.4 THEN 'near' ELSE format('%s of %s', actual_rows, r.rows) END
FROM (VALUES ('few.k = many.k', 5000000.0), ('(few.i <= $1) AND few.k = many.k', 2500000),
  ('(few.k < $1) AND ((few.i = $2) OR (many.i <= $3))', 1508500), ('(few.k >= $1) AND ((many.i % $2) = $3)', 5000000)) r (text, rows)
LEFT JOIN query_shaper.row_estimates ON clauses = r.text ORDER BY 1;
DROP TABLE few, many;
