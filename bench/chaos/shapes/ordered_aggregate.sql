SELECT b.kind, array_agg(a.id ORDER BY a.n, a.id), percentile_disc(0.5) WITHIN GROUP (ORDER BY a.n) FROM a
  JOIN b ON b.id = a.b_id WHERE a.grp = {n} % 37 GROUP BY 1
