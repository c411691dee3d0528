WITH y AS (SELECT grp, kind, count(*) AS n FROM joined GROUP BY 1, 2) SELECT p.grp, p.n, q.n FROM y p
  JOIN y q ON q.grp = p.grp WHERE p.kind = 1 AND q.kind = 2 AND p.n > 0
