WITH y AS (SELECT grp, kind, count(*) AS n FROM joined GROUP BY 1, 2) SELECT p.grp, p.n, q.n, r.n, s.n FROM y p
  JOIN y q ON q.grp = p.grp JOIN y r ON r.grp = q.grp JOIN y s ON s.grp = r.grp WHERE p.kind = 1 AND q.kind = 2
  AND r.kind = 3 AND s.kind = 4 AND p.n + q.n > 1
