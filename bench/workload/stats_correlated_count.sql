-- data: stats
-- param score: SELECT g FROM generate_series(4, 60) g ORDER BY 1
SELECT p.id, (SELECT count(*) FROM comments c WHERE c.postid = p.id AND c.score > 0) AS commented FROM posts p WHERE p.score >= :score::int ORDER BY 2 DESC LIMIT 20;
