-- data: runaway
-- param day: SELECT date '2024-04-10' + g FROM generate_series(0, 17) g
SELECT count(*) FROM orders o
WHERE o.day BETWEEN :day::date AND :day::date + 1
  AND o.amount > (SELECT avg(x.amount) FROM orders x WHERE x.customer = o.customer AND x.id <> o.id) % 1000;
