-- data: made
-- param year: SELECT g FROM generate_series(1960, 2019) g
SELECT r.branch, b.year, count(*) FROM loan l JOIN reader r ON r.id = l.reader_id JOIN book b ON b.id = l.book_id WHERE b.year >= :year::int GROUP BY ROLLUP (1, 2);
