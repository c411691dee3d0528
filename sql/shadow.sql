-- A query run on a sample of its largest relations.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
CREATE TABLE shade_fact (id int PRIMARY KEY, key int, kind int) WITH (autovacuum_enabled = off);
CREATE TABLE shade_key (key int PRIMARY KEY, colour int) WITH (autovacuum_enabled = off);
CREATE SEQUENCE shade_seq;
INSERT INTO shade_fact SELECT g, g % 20000, g % 7 FROM generate_series(1, 200000) g;
INSERT INTO shade_key SELECT g, g % 10 FROM generate_series(0, 19999) g;
VACUUM ANALYZE shade_fact, shade_key;

-- The sampling method: the share that was asked for, the same rows for the same seed, others for another.
SELECT count(*) BETWEEN 15000 AND 25000 AS tenth FROM shade_fact TABLESAMPLE query_shaper.block_runs(0.1) REPEATABLE (1);
SELECT count(*) FROM shade_fact TABLESAMPLE query_shaper.block_runs(1);
SELECT count(*) = count(DISTINCT id) AS once FROM shade_fact TABLESAMPLE query_shaper.block_runs(0.7) REPEATABLE (3);
SELECT sum(id) FILTER (WHERE seed = 1) = sum(id) FILTER (WHERE seed = 2) AS repeated,
  sum(id) FILTER (WHERE seed = 1) = sum(id) FILTER (WHERE seed = 3) AS other_seed
FROM (SELECT 1 AS seed, id FROM shade_fact TABLESAMPLE query_shaper.block_runs(0.1) REPEATABLE (1)
  UNION ALL SELECT 2, id FROM shade_fact TABLESAMPLE query_shaper.block_runs(0.1) REPEATABLE (1)
  UNION ALL SELECT 3, id FROM shade_fact TABLESAMPLE query_shaper.block_runs(0.1) REPEATABLE (2)) s;
-- Spread over the whole table: every tenth of it is there.
SELECT count(DISTINCT id / 20001) FROM shade_fact TABLESAMPLE query_shaper.block_runs(0.05) REPEATABLE (1);
SELECT count(*) FROM shade_fact TABLESAMPLE query_shaper.block_runs(0);
SELECT count(*) FROM shade_fact TABLESAMPLE query_shaper.block_runs(1.5);
SELECT count(*) FROM shade_fact TABLESAMPLE query_shaper.block_runs(NULL);

-- All of it is exact, and numbers its rows like the plan.
SELECT node_id, relations, shadow_rows, low_rows, high_rows, sampled
FROM query_shaper.shadow('SELECT count(*) FROM shade_fact f JOIN shade_key k USING (key) WHERE k.colour = 3', 1)
ORDER BY relations COLLATE "C";
-- Sampled, the planner's error of a factor of 7 is seen: kind and kind + 0 are no independent conditions.
SELECT relations, planner_rows < 1000 AS planner_is_wrong, shadow_rows BETWEEN 2000 AND 3700 AS shadow_is_right,
  low_rows <= shadow_rows AND shadow_rows <= high_rows AS limits
FROM query_shaper.shadow('SELECT f.kind, count(*) FROM shade_fact f JOIN shade_key k USING (key)
  WHERE k.colour = 3 AND f.kind = 2 AND f.kind + 0 = 2 GROUP BY 1 ORDER BY 2 LIMIT 1')
WHERE relations = 'f, k';
-- Only the preserved side of an outer join or an anti join is sampled: unmatched rows of the other would not scale.
SELECT relations, round(shadow_rows / 10000) AS ten_thousands
FROM query_shaper.shadow('SELECT * FROM shade_fact f LEFT JOIN shade_key k ON k.key = f.key AND k.colour = 3', 0.05)
WHERE relations = 'f, k';
SELECT relations, shadow_rows BETWEEN 15000 AND 19000 AS fits
FROM query_shaper.shadow('SELECT * FROM shade_key k
  WHERE NOT EXISTS (SELECT 1 FROM shade_fact f WHERE f.key = k.key AND f.kind = 3 AND f.id < 20000)', 0.2)
WHERE relations = 'f, k';
-- Subqueries that group, CTEs and members of set operations are looked at alone.
SELECT relations, round(shadow_rows / 10000) AS ten_thousands
FROM query_shaper.shadow('WITH c AS MATERIALIZED (SELECT f.key FROM shade_fact f JOIN shade_key k USING (key))
  SELECT count(*) FROM c', 0.1) WHERE relations = 'f, k';
SELECT relations, round(shadow_rows / 10000) AS ten_thousands
FROM query_shaper.shadow('SELECT key FROM shade_fact f JOIN shade_key k USING (key) UNION SELECT key FROM shade_key', 0.1)
WHERE relations = 'f, k';
SELECT count(*) FROM query_shaper.shadow('SELECT 1');
SELECT count(*) FROM query_shaper.shadow('SELECT * FROM generate_series(1, 10) g');

-- Partitions are sampled alike.
CREATE TABLE shade_part (id int, kind int) PARTITION BY RANGE (id);
CREATE TABLE shade_part_1 PARTITION OF shade_part FOR VALUES FROM (0) TO (150000);
CREATE TABLE shade_part_2 PARTITION OF shade_part FOR VALUES FROM (150000) TO (300000);
INSERT INTO shade_part SELECT g, g % 7 FROM generate_series(0, 299999) g;
ANALYZE shade_part;
SELECT relations, round(shadow_rows / 100000) AS hundred_thousands
FROM query_shaper.shadow('SELECT count(*) FROM shade_part p JOIN shade_fact f USING (id)', 0.05) WHERE relations = 'f, p';

-- Refusals.
SELECT query_shaper.shadow('SELECT 1', 0);
SELECT query_shaper.shadow('SELECT 1', 1.1);
SELECT query_shaper.shadow('SELECT 1', 'NaN');
SELECT query_shaper.shadow('SELECT 1; SELECT 2');
SELECT query_shaper.shadow('DELETE FROM shade_fact');
SELECT query_shaper.shadow('VACUUM shade_fact');
SELECT query_shaper.shadow('SELECT * FROM shade_fact FOR UPDATE');
SELECT query_shaper.shadow('SELECT * FROM (SELECT * FROM shade_fact FOR SHARE) s');
SELECT query_shaper.shadow('WITH d AS (DELETE FROM shade_fact RETURNING *) SELECT * FROM d');
SELECT query_shaper.shadow('SELECT random() FROM shade_fact');
SELECT query_shaper.shadow('SELECT * FROM shade_fact WHERE kind = (SELECT nextval(''shade_seq'') LIMIT 1)');
SELECT query_shaper.shadow('SELECT * FROM shade_fact TABLESAMPLE query_shaper.block_runs(0.1)');
SELECT query_shaper.shadow('SELECT * FROM no_such_table');
SELECT count(*) FROM query_shaper.shadow(NULL);
SELECT count(*) FROM shade_fact;

-- Rights and row security are the caller's.
CREATE ROLE shade_reader;
CREATE TABLE shade_secret (id int, owner name) WITH (autovacuum_enabled = off);
INSERT INTO shade_secret SELECT g, CASE WHEN g % 100 = 0 THEN 'shade_reader' ELSE 'somebody' END FROM generate_series(1, 10000) g;
ANALYZE shade_secret;
SET ROLE shade_reader;
SELECT query_shaper.shadow('SELECT count(*) FROM shade_secret');
RESET ROLE;
ALTER TABLE shade_secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON shade_secret USING (owner = current_user);
GRANT SELECT ON shade_secret TO shade_reader;
SET ROLE shade_reader;
SELECT relations, shadow_rows FROM query_shaper.shadow('SELECT count(*) FROM shade_secret', 1);
RESET ROLE;
SELECT relations, shadow_rows FROM query_shaper.shadow('SELECT count(*) FROM shade_secret', 1);
-- The caller's settings are as before, also after an error.
SHOW query_shaper.mode;
SHOW enable_mergejoin;
SHOW enable_nestloop;

DROP TABLE shade_fact, shade_key, shade_part, shade_secret;
DROP SEQUENCE shade_seq;
DROP ROLE shade_reader;
