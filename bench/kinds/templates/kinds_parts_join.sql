-- data: kinds
-- param since: SELECT taken FROM (SELECT taken, row_number() OVER (ORDER BY taken) AS n FROM loan) s WHERE n % 30000 = 1
SELECT r.branch, count(*), count(DISTINCT l.book_id) FROM loan_part l JOIN reader r ON r.id = l.reader_id WHERE l.taken < :since::timestamp GROUP BY 1 ORDER BY 2 DESC;
