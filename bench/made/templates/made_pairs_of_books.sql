-- data: made
-- param topic: SELECT DISTINCT topic FROM book ORDER BY 1
-- param since: SELECT d::date FROM generate_series(date '2015-02-01', date '2018-12-01', interval '20 days') d
SELECT b.topic, count(*) FROM loan a JOIN loan l ON l.reader_id = a.reader_id AND l.taken > a.taken JOIN book b ON b.id = l.book_id WHERE a.book_id BETWEEN 2000 + :topic::int AND 2020 + :topic::int AND a.taken >= :since::timestamp GROUP BY 1;
