-- Rows scattered, strided, jittered, in runs and in order, as five indexes see them. -v rows=N
CREATE TABLE reading(id int, scattered int, strided int, jittered int, runs int, pad text);
INSERT INTO reading SELECT i, (hashint4(i) & 2147483647) % :rows, (i % 5000) * (:rows / 5000) + i / 5000,
  i + (hashint4(i + 77) & 511), ((i / 500 * 7919) % (:rows / 500 + 9)) * 500 + i % 500, repeat('x', 84)
FROM generate_series(0, :rows - 1) i;
CREATE INDEX reading_id ON reading(id);
CREATE INDEX reading_scattered ON reading(scattered);
CREATE INDEX reading_strided ON reading(strided);
CREATE INDEX reading_jittered ON reading(jittered);
CREATE INDEX reading_runs ON reading(runs);
VACUUM (ANALYZE, FREEZE) reading;
CHECKPOINT;
