-- data: stats
-- param type: SELECT posthistorytypeid FROM posthistory GROUP BY 1 HAVING count(*) > 200 ORDER BY 1
SELECT date_trunc('week', ph.creationdate) AS week, count(*), count(DISTINCT ph.userid) FROM posthistory ph JOIN posts p ON p.id = ph.postid WHERE ph.posthistorytypeid <= :type::int GROUP BY 1 ORDER BY 1;
