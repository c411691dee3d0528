-- data: made
-- param reader: SELECT g * 1499 FROM generate_series(1, 100) g
SELECT l.id, l.taken, b.title FROM loan l JOIN book b ON b.id = l.book_id WHERE l.reader_id = :reader::int;
