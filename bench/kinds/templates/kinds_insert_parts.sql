-- data: kinds
-- param days: SELECT g FROM generate_series(1, 30) g
INSERT INTO loan_part SELECT * FROM loan WHERE days >= :days::int;
