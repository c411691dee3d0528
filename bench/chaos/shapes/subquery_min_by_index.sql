SELECT x.low, x.high, count(*) FROM (SELECT min(a.b_id) AS low, max(a.b_id) AS high FROM a) x
  JOIN (SELECT DISTINCT a.b_id, a.grp FROM a) y ON y.b_id BETWEEN x.low AND x.high JOIN b ON b.id = y.b_id WHERE y.grp <> {n} GROUP BY 1, 2
