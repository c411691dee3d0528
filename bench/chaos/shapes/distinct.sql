SELECT DISTINCT a.grp, b.kind FROM a JOIN b ON b.id = a.b_id
