SELECT b.id, x.id, x.n FROM b, LATERAL (SELECT a.id, a.n FROM a WHERE a.b_id = b.id ORDER BY a.n DESC,
  a.id LIMIT 2) x WHERE b.kind = {n} % 9
