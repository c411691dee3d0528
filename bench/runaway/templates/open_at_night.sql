-- data: runaway
-- param day: SELECT date '2024-04-10' + g FROM generate_series(0, 11) g
SELECT o.bucket, count(*) FROM orders o
WHERE o.day = :day::date AND NOT EXISTS (
  SELECT FROM rates r WHERE r.lo + r.rate <= o.id AND r.hi > o.id + 50 AND r.day >= o.day) GROUP BY 1;
