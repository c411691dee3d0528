-- data: stats
-- Posts that score far above the average of their type.
SELECT count(*), sum(p.viewcount) FROM posts p
WHERE p.viewcount > 7000 AND p.score > 10 * (SELECT avg(q.score) FROM posts q WHERE q.posttypeid = p.posttypeid);
