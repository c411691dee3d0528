-- Predictions before a run, what they look like afterwards, and the models behind them.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.min_cost = 0;
CREATE TABLE foretold (id int PRIMARY KEY, kind int);
INSERT INTO foretold SELECT g, g % 10 FROM generate_series(1, 5000) g;
ANALYZE foretold;

SELECT predicted_ms > 0 AS time, low_ms <= predicted_ms AND predicted_ms <= high_ms AS interval,
  memory_low_kb <= memory_kb AND memory_kb <= memory_high_kb AS memory, rows_low <= rows AND rows <= rows_high AS rows,
  temp_low_kb <= temp_kb AND temp_kb <= temp_high_kb AS temp, blocks_low <= blocks AND blocks <= blocks_high AS blocks,
  origin IN ('cache', 'linear', 'online', 'sequence', 'blend') AS origin, query_id <> 0 AS named, fingerprint <> 0 AS shaped
FROM query_shaper.predict('SELECT kind, count(*) FROM foretold GROUP BY kind');
-- Statements that write are planned, too, and never run; parameters are planned for generically.
SELECT predicted_ms > 0 AS time FROM query_shaper.predict('DELETE FROM foretold WHERE kind = 3');
SELECT predicted_ms > 0 AS time FROM query_shaper.predict('INSERT INTO foretold SELECT id + 5000, kind FROM foretold');
SELECT predicted_ms > 0 AS time FROM query_shaper.predict('UPDATE foretold SET kind = $1 WHERE id = $2');
SELECT predicted_ms > 0 AS time FROM query_shaper.predict(
  'MERGE INTO foretold f USING (VALUES (1)) v(id) ON f.id = v.id WHEN MATCHED THEN DELETE');
SELECT count(*) FROM foretold;

-- A repeated statement is known: its prediction comes from its own history.
SELECT count(*) FROM foretold WHERE kind < 4;
SELECT count(*) FROM foretold WHERE kind < 5;
SELECT count(*) FROM foretold WHERE kind < 6;
SELECT query_shaper.flush();
SELECT rows, low_ms > 0 AS known FROM query_shaper.predict('SELECT count(*) FROM foretold WHERE kind < 7');
SELECT count(*) AS predictions, bool_and(low_ms <= predicted_ms AND predicted_ms <= high_ms) AS intervals,
  bool_and(actual_ms > 0) AS outcomes, bool_and(predicted_memory_kb >= 0 AND actual_memory_kb >= 0) AS memory,
  bool_and(origin IN ('cache', 'linear', 'online', 'sequence', 'blend')) AS origins, bool_and(at <= clock_timestamp()) AS past,
  count(DISTINCT fingerprint) AS plans
FROM query_shaper.predictions WHERE query_id = (SELECT query_id FROM query_shaper.fingerprint(
  'SELECT count(*) FROM foretold WHERE kind < 1'));

SELECT query_shaper.train();
SELECT name, version > 0 OR name = 'sequence' AS version,
  CASE WHEN version = 0 THEN trained_at IS NULL ELSE trained_at <= clock_timestamp() END AS trained, samples >= 0 AS samples,
  q_error_p50 IS NULL OR q_error_p50 BETWEEN 1 AND q_error_p90 AS q_error, weight BETWEEN 0 AND 1 AS weight
FROM query_shaper.models ORDER BY name COLLATE "C";
-- The same of every target.
SELECT target, count(*) AS models, count(weight) AS members, bool_and(q_error_p50 >= 1 AND q_error_p50 <= q_error_p90) AS q_error,
  abs(sum(weight) - 1) < 1e-6 AND abs(sum(weight_unseen) - 1) < 1e-6 AS weights
FROM query_shaper.model_targets GROUP BY target ORDER BY target COLLATE "C";
SELECT cpu_low_ms <= cpu_ms AND cpu_ms <= cpu_high_ms AS cpu,
  blocks_read_low <= blocks_read AND blocks_read <= blocks_read_high AS blocks_read,
  (SELECT count(*) FROM jsonb_object_keys(members)) AS targets, members -> 'memory_kb' -> 'linear' -> 'value' IS NOT NULL AS linear
FROM query_shaper.predict('SELECT kind, count(*) FROM foretold GROUP BY kind');
SELECT bool_and(actual_cpu_ms > 0 AND predicted_cpu_ms > 0) AS cpu, bool_and(actual_blocks >= actual_blocks_read) AS blocks,
  bool_and(predicted_temp_kb >= 0 AND actual_temp_kb = 0) AS temp
FROM query_shaper.predictions WHERE query_id = (SELECT query_id FROM query_shaper.fingerprint(
  'SELECT count(*) FROM foretold WHERE kind < 1'));

-- Refusals.
SELECT query_shaper.predict('');
SELECT query_shaper.predict('SELECT 1; SELECT 2');
SELECT query_shaper.predict('VACUUM foretold');
SELECT query_shaper.predict('COPY foretold TO STDOUT');
SELECT query_shaper.predict('EXECUTE something');
SELECT query_shaper.fingerprint('BEGIN');
SELECT query_shaper.predict('SELECT FROM WHERE');
SELECT query_shaper.predict('SELECT * FROM no_such_table');
SELECT query_shaper.predict(NULL);
-- Rules: what is put in the statement's place is predicted; where nothing is left, nothing can be.
CREATE RULE instead AS ON DELETE TO foretold DO INSTEAD UPDATE foretold SET kind = -1 WHERE id = old.id;
SELECT predicted_ms > 0 AS time FROM query_shaper.predict('DELETE FROM foretold WHERE id = 1');
CREATE OR REPLACE RULE instead AS ON DELETE TO foretold DO INSTEAD NOTHING;
SELECT query_shaper.predict('DELETE FROM foretold WHERE id = 1');
DROP TABLE foretold;
