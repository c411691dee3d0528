-- data: stats
-- param score: SELECT DISTINCT score FROM (SELECT score, row_number() OVER (ORDER BY score) AS n, count(*) OVER () AS c FROM posts WHERE score IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM comments) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT count(*) FROM posts p JOIN comments c ON c.postid = p.id WHERE p.score >= :score::int AND c.creationdate >= :since::timestamp;
