-- data: stats
-- param views: SELECT DISTINCT views FROM (SELECT views, row_number() OVER (ORDER BY views) AS n, count(*) OVER () AS c FROM users WHERE views IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
-- param since: SELECT creationdate FROM (SELECT creationdate, row_number() OVER (ORDER BY creationdate) AS n, count(*) OVER () AS c FROM posthistory) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT count(*) FROM badges b JOIN users u ON u.id = b.userid JOIN posthistory ph ON ph.userid = u.id WHERE u.views <= :views::int AND ph.creationdate >= :since::timestamp AND b.date >= :since::timestamp;
