-- data: stats
-- param score: SELECT DISTINCT score FROM (SELECT score, row_number() OVER (ORDER BY score) AS n, count(*) OVER () AS c FROM posts WHERE score IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT id, score, viewcount FROM posts WHERE score <= :score::int ORDER BY viewcount DESC NULLS LAST, id LIMIT 200;
