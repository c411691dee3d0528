-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM posthistory) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT DISTINCT userid, posthistorytypeid FROM posthistory WHERE creationdate >= :since::timestamp;
