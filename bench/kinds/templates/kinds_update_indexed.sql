-- data: kinds
-- param days: SELECT g FROM generate_series(15, 50) g
UPDATE loan SET reader_id = reader_id + 1 WHERE days >= :days::int;
