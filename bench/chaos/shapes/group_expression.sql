SELECT parted(a.id), a.grp % 3, string_agg(DISTINCT b.t, ',' ORDER BY b.t) FROM a JOIN b ON b.id = a.b_id GROUP BY 1,
  2
