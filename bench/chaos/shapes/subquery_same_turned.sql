-- Two subqueries of the same name: their relations stand the other way round, and one is told more from outside.
SELECT count(*), sum(x.i - y.i), sum(x.s - y.s)
FROM (SELECT p.id AS i, q.grp AS g, p.grp AS s FROM a p JOIN a q ON q.id = p.b_id WHERE p.grp < 9 AND q.grp > 20 ORDER BY q.d, p.id OFFSET 0) x
  JOIN (SELECT q.id AS i, p.grp AS g, q.grp AS s FROM a p JOIN a q ON p.id = q.b_id WHERE p.grp > 20 AND q.grp < 9 ORDER BY p.d, q.id OFFSET 0) y
    ON y.g = x.g JOIN b ON b.id = x.i WHERE b.kind <> {n}
