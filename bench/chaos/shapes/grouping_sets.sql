SELECT a.grp, b.kind, count(*), sum(a.n), grouping(a.grp, b.kind) FROM a JOIN b ON b.id = a.b_id
  GROUP BY GROUPING SETS ((a.grp, b.kind), (a.grp), ())
