-- data: made
-- param branch: SELECT DISTINCT branch FROM reader ORDER BY 1
SELECT count(*) FROM loan a JOIN loan b ON a.book_id = b.book_id AND a.taken::date = b.taken::date AND a.id < b.id JOIN reader r ON r.id = a.reader_id WHERE r.branch >= :branch::int;
