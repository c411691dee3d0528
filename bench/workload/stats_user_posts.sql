-- data: stats
-- param reputation: SELECT DISTINCT reputation FROM (SELECT reputation, row_number() OVER (ORDER BY reputation) AS n, count(*) OVER () AS c FROM users WHERE reputation IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT u.id, count(*), sum(p.score) FROM users u JOIN posts p ON p.owneruserid = u.id WHERE u.reputation >= :reputation::int GROUP BY u.id ORDER BY 3 DESC NULLS LAST LIMIT 50;
