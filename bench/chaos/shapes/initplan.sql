SELECT count(*) FROM a JOIN b ON b.id = a.b_id WHERE a.n > (SELECT avg(n) FROM a) AND b.kind < (SELECT max(kind)
  FROM b)
