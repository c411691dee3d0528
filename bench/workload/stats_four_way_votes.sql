-- data: stats
-- param score: SELECT DISTINCT score FROM (SELECT score, row_number() OVER (ORDER BY score) AS n, count(*) OVER () AS c FROM posts WHERE score IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM votes) s WHERE n % (c / 150) = 0 ORDER BY n
-- param rep: SELECT DISTINCT reputation FROM (SELECT reputation, row_number() OVER (ORDER BY reputation) AS n, count(*) OVER () AS c FROM users WHERE reputation IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT p.posttypeid, count(*), sum(c.score) FROM posts p JOIN votes v ON v.postid = p.id JOIN comments c ON c.postid = p.id JOIN users u ON u.id = c.userid WHERE p.score >= :score::int AND v.creationdate >= :since::timestamp AND u.reputation >= :rep::int GROUP BY 1;
