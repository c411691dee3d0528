-- data: stats
-- How each early vote compares with all votes of its type and day of the week.
SELECT v.votetypeid, count(*), max((SELECT count(*) FROM votes w WHERE w.votetypeid = v.votetypeid AND w.creationdate < '2011-01-01'))
FROM votes v WHERE v.creationdate < '2010-07-20' GROUP BY v.votetypeid ORDER BY 1;
