SELECT b.kind, count(*), sum(x.place) FROM (SELECT a.id, a.b_id, row_number() OVER (PARTITION BY a.grp ORDER BY a.d, a.id) AS place FROM a) x
  JOIN (SELECT b.id, b.kind FROM b ORDER BY b.t NULLS FIRST, b.id LIMIT 900) b ON b.id = x.b_id JOIN stale s ON s.a_id = x.id
  WHERE x.place > {n} % 7 GROUP BY 1
