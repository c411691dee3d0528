-- data: stats
SELECT count(*), sum(comments) FROM (SELECT (SELECT count(*) FROM comments c WHERE c.userid = u.id) AS comments FROM users u OFFSET 0) s;
