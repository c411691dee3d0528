-- data: kinds
-- param year: SELECT g FROM generate_series(1945, 2015) g
SELECT r.branch, count(*), sum(l.days), max(b.title) FROM loan l JOIN book b ON b.id = l.book_id JOIN reader r ON r.id = l.reader_id WHERE b.year <= :year::int GROUP BY 1 ORDER BY 2 DESC;
