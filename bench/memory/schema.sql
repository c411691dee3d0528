-- Rows for the bench memory-query: wide and narrow ones, and ranges of parameters that hold few or many of them.
SELECT setseed(0.5);
CREATE TABLE facts AS
  SELECT g AS id, (random() * 20000)::int AS customer, (random() * 1000)::int AS product, md5(g::text) AS note,
         timestamp '2020-01-01' + g * interval '1 minute' AS at
  FROM generate_series(1, 1000000) g ORDER BY random();
CREATE TABLE details AS
  SELECT g AS id, md5((g * 7)::text) AS text, random() AS weight FROM generate_series(1, 1000000) g ORDER BY random();
CREATE TABLE skewed AS
  SELECT CASE WHEN g % 20 = 0 THEN g % 50 ELSE 100 END AS kind, g AS id, md5(g::text) AS note
  FROM generate_series(1, 400000) g;
CREATE TABLE visits AS
  SELECT md5((random() * 200000)::int::text) AS visitor, md5((random() * 200000)::int::text || 'p') AS page,
         md5((random() * 200000)::int::text || 'r') AS referrer, md5((random() * 200000)::int::text || 'c') AS campaign,
         timestamp '2020-01-01' + g * interval '1 minute' AS at, random() * 100 AS spent
  FROM generate_series(1, 1000000) g ORDER BY random();
CREATE INDEX ON skewed (kind);
ALTER TABLE skewed ALTER kind SET STATISTICS 1000;
VACUUM ANALYZE;
