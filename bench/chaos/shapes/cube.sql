SELECT parted(a.grp), b.kind, count(*) FROM a JOIN b ON b.id = a.b_id GROUP BY CUBE (1, 2)
