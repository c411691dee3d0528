-- data: stats
WITH yearly AS (
  SELECT owneruserid AS id, date_part('year', creationdate) AS year, posttypeid AS kind, count(*) AS posts, sum(score) AS score
  FROM posts WHERE owneruserid IS NOT NULL GROUP BY 1, 2, 3)
SELECT count(*), sum(b.score - a.score)
FROM yearly a JOIN yearly b ON b.id = a.id
WHERE a.year = 2012 AND a.kind = 2 AND a.posts > 0 AND b.year = 2013 AND b.kind = 2 AND b.score > a.score;
