-- data: made
-- param days: SELECT g FROM generate_series(2, 40) g
SELECT count(*), sum(fee), avg(days) FROM loan WHERE days >= :days::int;
