-- data: kinds
-- param stars: SELECT g FROM generate_series(1, 5) g
DELETE FROM review WHERE stars <= :stars::int;
