-- data: made
-- param topic: SELECT DISTINCT topic FROM book ORDER BY 1
SELECT count(*), max(l.taken) FROM book b JOIN cites c ON c.to_book = b.id JOIN loan l ON l.book_id = c.from_book WHERE b.topic <= :topic::int / 4;
