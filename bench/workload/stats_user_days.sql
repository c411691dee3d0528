-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM votes) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT date_trunc('day', v.creationdate) AS day, count(DISTINCT p.owneruserid), count(*), sum(p.score) FROM votes v JOIN posts p ON p.id = v.postid WHERE v.creationdate >= :since::timestamp GROUP BY 1 ORDER BY 1;
