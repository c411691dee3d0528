SELECT count(*), sum(b.kind) FROM b JOIN c ON c.id = b.c_id
  WHERE b.id IN (SELECT x.b_id FROM (SELECT a.b_id, a.grp FROM a WHERE a.grp > {n} % 30 ORDER BY a.d, a.id OFFSET 1) x JOIN stale s ON s.a_id = x.grp)
