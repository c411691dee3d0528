-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM posthistory) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT who, date_trunc('day', at) AS day, count(*) FROM (SELECT userid AS who, creationdate AS at FROM posthistory UNION ALL SELECT userid, creationdate FROM comments UNION ALL SELECT userid, date FROM badges UNION ALL SELECT owneruserid, creationdate FROM posts) s WHERE at >= :since::timestamp GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 30;
