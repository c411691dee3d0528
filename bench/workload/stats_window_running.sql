-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM comments) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT max(running) FROM (SELECT sum(score) OVER (PARTITION BY postid ORDER BY creationdate) AS running FROM comments WHERE creationdate < :since::timestamp) s;
