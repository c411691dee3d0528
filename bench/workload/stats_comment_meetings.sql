-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM comments) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT a.userid, count(*), count(DISTINCT b.userid) FROM comments a JOIN comments b ON b.postid = a.postid AND b.id > a.id WHERE a.creationdate >= :since::timestamp GROUP BY 1 ORDER BY 3 DESC LIMIT 20;
