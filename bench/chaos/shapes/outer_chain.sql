SELECT a.id, b.t, c.label, s.v FROM a LEFT JOIN b ON b.id = a.b_id LEFT JOIN c ON c.id = b.c_id LEFT
  JOIN stale s ON s.id = a.id WHERE a.grp = {n} % 37
