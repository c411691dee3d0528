-- data: made
-- param topic: SELECT DISTINCT topic FROM book ORDER BY 1
WITH RECURSIVE reach (id, depth) AS (SELECT id, 0 FROM book WHERE topic = :topic::int UNION SELECT c.from_book, depth + 1 FROM reach r JOIN cites c ON c.to_book = r.id WHERE depth < 3) SELECT depth, count(*) FROM reach GROUP BY 1;
