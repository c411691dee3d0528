-- data: stats
-- param user: SELECT DISTINCT owneruserid FROM (SELECT owneruserid, row_number() OVER (ORDER BY owneruserid) AS n, count(*) OVER () AS c FROM posts WHERE owneruserid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT kind, count(*), max(at) FROM (SELECT 'post' AS kind, creationdate AS at FROM posts WHERE owneruserid <= :user::int UNION ALL SELECT 'comment', creationdate FROM comments WHERE userid <= :user::int UNION ALL SELECT 'badge', date FROM badges WHERE userid <= :user::int) s GROUP BY kind;
