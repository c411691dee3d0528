SELECT x.grp, x.n, y.kind, y.n FROM (SELECT grp, count(*) AS n FROM a GROUP BY 1) x FULL JOIN (SELECT kind,
  count(*) AS n FROM b GROUP BY 1) y ON y.kind = x.grp
