-- data: runaway
-- param customer: SELECT g FROM generate_series(5000, 5011) g
SELECT count(*), sum(a.amount - b.amount) FROM orders a JOIN orders b ON b.bucket = a.bucket AND b.id <> a.id
WHERE a.customer = :customer::int AND b.status IN ('queued', 'held');
