-- data: made
-- param year: SELECT g FROM generate_series(1960, 2019) g
SELECT count(*) FROM book b JOIN loan l ON l.book_id = b.id WHERE b.year <= :year::int AND (SELECT count(*) FROM review v WHERE v.loan_id = l.id) > 1;
