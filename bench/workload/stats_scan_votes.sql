-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM votes) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT count(*), max(creationdate) FROM votes WHERE creationdate >= :since::timestamp AND votetypeid <> 1;
