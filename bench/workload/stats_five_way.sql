-- data: stats
-- param score: SELECT DISTINCT score FROM (SELECT score, row_number() OVER (ORDER BY score) AS n, count(*) OVER () AS c FROM posts WHERE score IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
-- param rep: SELECT DISTINCT reputation FROM (SELECT reputation, row_number() OVER (ORDER BY reputation) AS n, count(*) OVER () AS c FROM users WHERE reputation IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT count(*) FROM users u JOIN posts p ON p.owneruserid = u.id JOIN comments c ON c.postid = p.id JOIN postlinks pl ON pl.postid = p.id JOIN badges b ON b.userid = u.id WHERE p.score <= :score::int AND u.reputation <= :rep::int;
