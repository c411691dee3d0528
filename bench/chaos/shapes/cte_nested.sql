WITH x AS (SELECT * FROM a WHERE grp > 3), y AS MATERIALIZED (SELECT x.*, b.kind FROM x JOIN b ON b.id = x.b_id),
  z AS (SELECT kind, max(n) AS n FROM y GROUP BY 1) SELECT y.id, y.kind FROM y JOIN z ON z.kind = y.kind AND z.n = y.n
