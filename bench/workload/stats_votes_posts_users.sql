-- data: stats
-- param upvotes: SELECT DISTINCT upvotes FROM (SELECT upvotes, row_number() OVER (ORDER BY upvotes) AS n, count(*) OVER () AS c FROM users WHERE upvotes IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM votes) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT count(*), avg(p.score) FROM votes v JOIN posts p ON v.postid = p.id JOIN users u ON p.owneruserid = u.id WHERE u.upvotes <= :upvotes::int AND v.creationdate <= :since::timestamp;
