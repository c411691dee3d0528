-- data: stats
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM posthistory) s WHERE n % (c / 150) = 0 ORDER BY n
-- param rep: SELECT DISTINCT reputation FROM (SELECT reputation, row_number() OVER (ORDER BY reputation) AS n, count(*) OVER () AS c FROM users WHERE reputation IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT u.id, count(*) FROM users u JOIN posthistory ph ON ph.userid = u.id JOIN comments c ON c.postid = ph.postid WHERE ph.creationdate >= :since::timestamp AND u.reputation >= :rep::int GROUP BY u.id HAVING count(*) > 10;
