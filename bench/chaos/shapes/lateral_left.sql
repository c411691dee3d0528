SELECT c.id, x.many, x.top FROM c LEFT JOIN LATERAL (SELECT count(*) AS many, max(a.n) AS top FROM a
  JOIN b ON b.id = a.b_id WHERE b.c_id = c.id) x ON true
