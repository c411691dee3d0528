-- data: stats
-- Views, score, answers and favourites of a post rise together.
WITH kind AS MATERIALIZED (
  SELECT owneruserid AS id, count(*) AS posts, max(score) AS best, max(viewcount) AS views FROM posts GROUP BY 1)
SELECT count(*), sum(a.best)
FROM kind a JOIN comments c ON c.userid = a.id
WHERE a.posts > 20 AND a.best > 10 AND a.views > 3000 AND c.creationdate::date = '2013-04-08' AND c.score = 0;
