-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM comments) s WHERE n % (c / 150) = 0 ORDER BY n
-- param type: SELECT votetypeid FROM votes GROUP BY 1 HAVING count(*) > 50 ORDER BY 1
SELECT c.userid, count(*), avg(v.votetypeid) FROM comments c JOIN votes v ON v.postid = c.postid WHERE c.creationdate >= :since::timestamp AND v.votetypeid >= :type::int GROUP BY c.userid ORDER BY 2 DESC LIMIT 20;
