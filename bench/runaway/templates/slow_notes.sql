-- data: runaway
-- param day: SELECT date '2024-04-10' + g FROM generate_series(0, 5) g
SELECT sum(slow_note(o.note)) FROM orders o WHERE o.day BETWEEN :day::date AND :day::date + 13;
