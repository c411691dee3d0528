-- data: made
-- param year: SELECT g FROM generate_series(1960, 2019) g
SELECT count(*) FROM book b JOIN loan l ON l.book_id = b.id JOIN review v ON v.loan_id = l.id WHERE b.title ~ '[0-4]{4}' AND b.year >= :year::int AND v.words LIKE '%word word word%';
