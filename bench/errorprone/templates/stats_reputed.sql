-- data: stats
SELECT count(*), sum(p.score)
FROM users u JOIN posts p ON p.owneruserid = u.id JOIN comments c ON c.postid = p.id JOIN votes v ON v.postid = p.id
WHERE u.reputation > 3000 AND u.upvotes > 300 AND u.views > 300 AND p.score > 5;
