-- data: made
-- param days: SELECT g FROM generate_series(2, 40) g
SELECT * FROM (SELECT id, fee, days, row_number() OVER (ORDER BY fee, taken DESC) AS n FROM loan WHERE days >= :days::int / 8) s WHERE n % 100000 = 0;
