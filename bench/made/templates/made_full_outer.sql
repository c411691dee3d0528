-- data: made
-- param days: SELECT g FROM generate_series(2, 40) g
SELECT count(*), count(a.n), count(v.n) FROM (SELECT book_id, count(*) AS n FROM loan WHERE days >= :days::int GROUP BY 1) a FULL JOIN (SELECT l.book_id, count(*) AS n FROM review w JOIN loan l ON l.id = w.loan_id GROUP BY 1) v USING (book_id);
