-- data: made
-- param topic: SELECT DISTINCT topic FROM book ORDER BY 1
SELECT length(string_agg(b.title, ',' ORDER BY b.title)) FROM loan l JOIN book b ON b.id = l.book_id WHERE b.topic >= :topic::int GROUP BY b.topic;
