-- data: made
-- param days: SELECT g FROM generate_series(2, 40) g
WITH popular AS MATERIALIZED (SELECT book_id, count(*) AS n FROM loan WHERE days >= :days::int / 2 GROUP BY 1) SELECT b.topic, sum(p.n), count(l.id) FROM popular p JOIN book b ON b.id = p.book_id JOIN loan l ON l.book_id = p.book_id WHERE p.n > 40 GROUP BY 1;
