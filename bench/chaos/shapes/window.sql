SELECT a.id, rank() OVER (PARTITION BY a.grp ORDER BY a.n, a.id),
  sum(a.n) OVER (PARTITION BY b.kind ORDER BY a.id ROWS 3 PRECEDING) FROM a JOIN b ON b.id = a.b_id WHERE a.grp < 10
