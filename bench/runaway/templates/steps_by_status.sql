-- data: runaway
-- param status: SELECT * FROM (VALUES ('queued'), ('held')) v
-- param bucket: SELECT g FROM generate_series(1000, 1011) g
SELECT count(*), max(o.amount - s.seq) FROM orders o JOIN steps s ON s.customer = o.customer
WHERE o.status = :status AND o.bucket >= :bucket::int;
