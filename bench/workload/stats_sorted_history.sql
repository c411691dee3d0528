-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM posthistory) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT ph.userid, ph.creationdate, p.score FROM posthistory ph JOIN posts p ON p.id = ph.postid WHERE ph.creationdate < :since::timestamp ORDER BY p.score DESC, ph.creationdate;
