-- data: kinds
-- param days: SELECT g FROM generate_series(10, 50) g
INSERT INTO checked SELECT id, book_id, reader_id FROM loan WHERE days >= :days::int;
