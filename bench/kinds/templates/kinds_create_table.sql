-- data: kinds
-- param days: SELECT g FROM generate_series(1, 30) g
CREATE TABLE copy AS SELECT l.*, b.title FROM loan l JOIN book b ON b.id = l.book_id WHERE l.days >= :days::int;
