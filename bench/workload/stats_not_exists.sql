-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM posts) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT count(*) FROM posts p WHERE p.creationdate >= :since::timestamp AND NOT EXISTS (SELECT 1 FROM votes v WHERE v.postid = p.id AND v.votetypeid = 2);
