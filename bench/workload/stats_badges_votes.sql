-- data: stats
-- param since: SELECT date FROM (SELECT date, row_number() OVER (ORDER BY date) AS n, count(*) OVER () AS c FROM badges) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT count(DISTINCT p.id), count(*) FROM badges b JOIN posts p ON p.owneruserid = b.userid JOIN votes v ON v.postid = p.id WHERE b.date >= :since::timestamp;
