WITH y AS (SELECT b_id, grp, sum(n) AS n FROM a GROUP BY 1, 2) SELECT count(*), sum(y.n) FROM y
  WHERE y.n > (SELECT avg(z.n) FROM y z WHERE z.grp = y.grp) AND y.b_id < 60
