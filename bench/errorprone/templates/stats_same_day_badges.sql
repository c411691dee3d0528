-- data: stats
-- Badges and votes have a day, not an index on it.
SELECT count(*)
FROM users u JOIN badges b ON b.userid = u.id JOIN posthistory h ON h.creationdate::date = b.date::date
WHERE u.reputation > 2000 AND u.upvotes > 300 AND u.views > 400 AND u.downvotes > 30 AND h.posthistorytypeid = 24 AND h.userid = u.id;
