-- data: kinds
-- param days: SELECT g FROM generate_series(1, 30) g
SELECT days, count(*), max(md5(id::text)) FROM far_loan WHERE days >= :days::int GROUP BY 1 ORDER BY 1;
