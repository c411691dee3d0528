-- data: stats
-- Badges given on days on which many users came.
SELECT count(*) FROM (SELECT b.date::date AS day FROM badges b WHERE b.date < '2010-10-01' OFFSET 0) b
WHERE (SELECT count(*) FROM users u WHERE u.creationdate::date = b.day) > 20;
