-- data: stats
-- param type: SELECT votetypeid FROM votes GROUP BY 1 HAVING count(*) > 50 ORDER BY 1
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM votes) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT count(DISTINCT postid) FROM votes WHERE votetypeid >= :type::int AND creationdate >= :since::timestamp;
