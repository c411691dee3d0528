-- data: made
-- param branch: SELECT DISTINCT branch FROM reader ORDER BY 1
SELECT r.branch, count(v.id), count(*) FROM reader r JOIN loan l ON l.reader_id = r.id LEFT JOIN review v ON v.loan_id = l.id WHERE r.branch <> :branch::int GROUP BY 1;
