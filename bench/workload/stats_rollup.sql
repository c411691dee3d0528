-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM posts) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT posttypeid, date_part('year', creationdate) AS year, count(*), avg(score) FROM posts WHERE creationdate >= :since::timestamp GROUP BY ROLLUP (1, 2) ORDER BY 1, 2;
