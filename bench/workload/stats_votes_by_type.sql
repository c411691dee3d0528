-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM votes) s WHERE n % (c / 150) = 0 ORDER BY n
-- param till: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM votes) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT votetypeid, date_trunc('month', creationdate) AS month, count(*) FROM votes WHERE creationdate BETWEEN least(:since::timestamp, :till::timestamp) AND greatest(:since::timestamp, :till::timestamp) GROUP BY 1, 2 ORDER BY 1, 2;
