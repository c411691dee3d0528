-- data: made
-- param branch: SELECT DISTINCT branch FROM reader ORDER BY 1
SELECT b.topic, count(*), sum(l.fee) FROM loan l JOIN book b ON b.id = l.book_id JOIN reader r ON r.id = l.reader_id WHERE r.branch >= :branch::int GROUP BY 1 ORDER BY 2 DESC;
