-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM votes) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT count(*), max(c.score) FROM votes v JOIN comments c ON c.postid = v.postid JOIN posthistory ph ON ph.postid = v.postid WHERE v.creationdate >= :since::timestamp;
