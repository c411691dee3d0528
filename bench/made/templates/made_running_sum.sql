-- data: made
-- param branch: SELECT DISTINCT branch FROM reader ORDER BY 1
SELECT max(s) FROM (SELECT sum(l.fee) OVER (PARTITION BY l.reader_id ORDER BY l.taken) AS s FROM loan l JOIN reader r ON r.id = l.reader_id WHERE r.branch <= :branch::int) x;
