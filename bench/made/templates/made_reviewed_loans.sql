-- data: made
-- param year: SELECT g FROM generate_series(1960, 2019) g
SELECT b.topic, avg(v.stars), count(*) FROM review v JOIN loan l ON l.id = v.loan_id JOIN book b ON b.id = l.book_id WHERE b.year >= :year::int GROUP BY 1;
