-- data: stats
SELECT count(*), sum(best) FROM (SELECT (SELECT max(c.score) FROM comments c WHERE c.postid = p.id) AS best FROM posts p OFFSET 0) s;
