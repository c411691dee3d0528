SELECT count(*), count(b.id), count(a.b_id) FROM a LEFT JOIN b ON b.t = a.t AND b.c_id IS NOT DISTINCT FROM a.b_id
