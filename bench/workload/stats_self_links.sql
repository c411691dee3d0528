-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM postlinks) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT count(*) FROM postlinks a JOIN postlinks b ON a.relatedpostid = b.postid JOIN posts p ON p.id = b.relatedpostid JOIN votes v ON v.postid = p.id WHERE a.creationdate >= :since::timestamp;
