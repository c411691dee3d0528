-- data: stats
-- param rep: SELECT DISTINCT reputation FROM users WHERE reputation > 150 ORDER BY 1
SELECT u.id, l.id, l.creationdate FROM users u CROSS JOIN LATERAL (SELECT p.id, p.creationdate FROM posts p WHERE p.owneruserid = u.id ORDER BY p.creationdate DESC LIMIT 3) l WHERE u.reputation >= :rep::int;
