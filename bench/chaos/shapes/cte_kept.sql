WITH x AS MATERIALIZED (SELECT a.*, b.kind FROM a JOIN b ON b.id = a.b_id) SELECT x.kind, c.label, count(*)
  FROM x JOIN c ON c.id = x.grp WHERE x.kind = {n} % 9 GROUP BY 1, 2
