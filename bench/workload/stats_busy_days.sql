-- data: stats
-- param user: SELECT DISTINCT owneruserid FROM (SELECT owneruserid, row_number() OVER (ORDER BY owneruserid) AS n, count(*) OVER () AS c FROM posts WHERE owneruserid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT p.owneruserid, c.userid, count(*), max(ph.creationdate) FROM posts p JOIN comments c ON c.postid = p.id JOIN posthistory ph ON ph.postid = p.id JOIN votes v ON v.postid = p.id WHERE p.owneruserid <= :user::int GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 10;
