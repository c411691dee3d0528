SELECT x.grp, c.label, count(*), sum(x.n) FROM (SELECT DISTINCT ON (a.b_id, a.grp) * FROM a ORDER BY a.b_id, a.grp, a.d DESC, a.id) x
  JOIN b ON b.id = x.b_id JOIN c ON c.id = b.c_id WHERE x.grp <> {n} GROUP BY 1, 2
