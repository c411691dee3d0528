-- data: kinds
-- param topic: SELECT g * 5 FROM generate_series(0, 39) g
SELECT b.topic, count(*), avg(l.fee) FROM far_loan l JOIN book b ON b.id = l.book_id WHERE b.topic >= :topic::int GROUP BY 1 ORDER BY 2 DESC;
