-- data: runaway
-- param bucket: SELECT g FROM generate_series(1000, 1015) g
SELECT count(*) FROM (
  SELECT a.id, row_number() OVER (PARTITION BY a.customer ORDER BY a.note, b.amount) AS place
  FROM orders a JOIN orders b ON b.bucket = a.bucket WHERE a.bucket = :bucket::int AND a.status IN ('queued', 'held') AND a.id % 7 < 2) x WHERE place < 5;
