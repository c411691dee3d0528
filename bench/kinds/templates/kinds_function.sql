-- data: kinds
-- param days: SELECT g FROM generate_series(1, 30) g
SELECT busiest(:days::int);
