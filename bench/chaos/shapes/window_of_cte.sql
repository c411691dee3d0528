WITH x AS MATERIALIZED (SELECT a.grp, b.kind, count(*) AS n FROM a JOIN b ON b.id = a.b_id GROUP BY 1, 2)
SELECT x.grp, sum(x.n) OVER (PARTITION BY x.grp ORDER BY x.kind), y.n FROM x JOIN x y ON y.grp = x.grp AND y.kind = x.kind + 1
  WHERE EXISTS (SELECT FROM x z WHERE z.grp = x.grp + 1 AND z.n > 1)
