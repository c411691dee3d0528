SELECT a.grp, count(*), count(DISTINCT b.kind) FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = a.grp
  GROUP BY 1
