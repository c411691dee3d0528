-- data: runaway
-- param day: SELECT date '2024-04-10' + g FROM generate_series(0, 11) g
SELECT s.kind, count(*), sum(o.amount) FROM orders o JOIN steps s ON s.customer = o.customer
WHERE o.day BETWEEN :day::date AND :day::date + 2 GROUP BY 1;
