-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM posthistory) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT userid, avg(gap), count(*) FROM (SELECT userid, creationdate - lag(creationdate) OVER (PARTITION BY userid ORDER BY creationdate) AS gap FROM posthistory WHERE creationdate >= :since::timestamp) s GROUP BY 1 HAVING count(*) > 5 ORDER BY 2 LIMIT 50;
