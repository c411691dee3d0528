SELECT s.v, a.grp, count(*) FROM stale s JOIN a ON a.id = s.a_id JOIN b ON b.id = a.b_id GROUP BY 1, 2
