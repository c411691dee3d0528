-- data: made
-- param days: SELECT g FROM generate_series(2, 40) g
SELECT width_bucket(fee, 0, 5, 50), count(*), avg(days) FROM loan WHERE days <> :days::int GROUP BY 1 ORDER BY 1;
