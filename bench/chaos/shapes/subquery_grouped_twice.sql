SELECT count(*), sum(x.n * y.n) FROM (SELECT a.b_id, count(*) AS n FROM a GROUP BY 1 HAVING count(*) > 1) x
  JOIN (SELECT a.b_id, count(*) AS n FROM a GROUP BY 1 HAVING count(*) > 2) y ON y.b_id = x.b_id JOIN b ON b.id = y.b_id
  WHERE x.b_id % 5 = {n} % 5
