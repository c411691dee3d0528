-- data: kinds
-- param days: SELECT g FROM generate_series(1, 30) g
UPDATE loan SET fee = fee + 1 WHERE days >= :days::int;
