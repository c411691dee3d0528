SELECT p.v, count(*), sum(a.n) FROM part p JOIN a ON a.id = p.a_id WHERE p.day BETWEEN '2024-03-01'
  AND '2024-08-01' GROUP BY 1
