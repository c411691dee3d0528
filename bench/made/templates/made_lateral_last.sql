-- data: made
-- param branch: SELECT DISTINCT branch FROM reader ORDER BY 1
SELECT avg(x.days) FROM reader r CROSS JOIN LATERAL (SELECT l.days FROM loan l WHERE l.reader_id = r.id ORDER BY l.taken DESC LIMIT 3) x WHERE r.branch >= :branch::int;
