-- data: runaway
-- param day: SELECT date '2024-04-10' + g FROM generate_series(0, 11) g
SELECT count(*), sum(r.rate) FROM orders o JOIN rates r ON o.id >= r.lo AND o.id < r.hi
WHERE o.day = :day::date AND o.amount < 700;
