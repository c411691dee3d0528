-- data: kinds
-- param days: SELECT g FROM generate_series(1, 30) g
INSERT INTO archive SELECT * FROM loan WHERE days >= :days::int;
