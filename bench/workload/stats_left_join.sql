-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM users) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT u.id, count(c.id), count(b.id) FROM users u LEFT JOIN comments c ON c.userid = u.id AND c.score > 1 LEFT JOIN badges b ON b.userid = u.id WHERE u.creationdate <= :since::timestamp GROUP BY u.id HAVING count(c.id) > 3;
