-- data: stats
-- param user: SELECT DISTINCT owneruserid FROM (SELECT owneruserid, row_number() OVER (ORDER BY owneruserid) AS n, count(*) OVER () AS c FROM posts WHERE owneruserid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
-- param width: SELECT g * 20 FROM generate_series(1, 100) g ORDER BY 1
SELECT p.id, p.score, c.id, c.score FROM posts p JOIN comments c ON c.postid = p.id WHERE p.owneruserid BETWEEN :user::int AND :user::int + :width::int;
