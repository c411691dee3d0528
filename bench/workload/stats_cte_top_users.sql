-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM posts) s WHERE n % (c / 150) = 0 ORDER BY n
WITH active AS MATERIALIZED (SELECT owneruserid, count(*) AS n, sum(score) AS s FROM posts WHERE creationdate >= :since::timestamp GROUP BY 1) SELECT u.id, a.n, a.s, u.reputation FROM active a JOIN users u ON u.id = a.owneruserid WHERE a.n > (SELECT avg(n) FROM active) ORDER BY a.s DESC NULLS LAST LIMIT 100;
