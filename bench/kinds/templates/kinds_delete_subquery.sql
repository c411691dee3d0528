-- data: kinds
-- param branch: SELECT g FROM generate_series(1, 39) g
DELETE FROM loan WHERE reader_id IN (SELECT id FROM reader WHERE branch >= :branch::int);
