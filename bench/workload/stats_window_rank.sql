-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM posts) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT owneruserid, id, rank() OVER (PARTITION BY owneruserid ORDER BY score DESC) AS place FROM posts WHERE creationdate >= :since::timestamp;
