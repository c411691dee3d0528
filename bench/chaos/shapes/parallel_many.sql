SELECT x.n, y.n, z.n FROM (SELECT count(*) AS n FROM a JOIN b ON b.id = a.b_id) x,
  (SELECT count(*) AS n FROM a JOIN stale s ON s.a_id = a.id) y,
  (SELECT sum(p.v) AS n FROM part p JOIN a ON a.id = p.a_id) z
