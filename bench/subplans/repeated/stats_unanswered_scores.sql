-- data: stats
-- Comments of a year, either of the first posts or scored as no widely read post with few answers is.
SELECT c.score, count(*) FROM comments c
WHERE c.creationdate < '2010-08-05' AND (c.postid < 50 OR NOT EXISTS (
  SELECT 1 FROM posts p WHERE p.answercount < c.score AND p.viewcount > 30000 AND p.score < c.score * 5))
GROUP BY c.score ORDER BY 1;
