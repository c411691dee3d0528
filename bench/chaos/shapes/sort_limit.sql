-- ordered
SELECT a.id, c.label FROM a JOIN b ON b.id = a.b_id JOIN c ON c.id = b.c_id ORDER BY a.n DESC, a.id LIMIT 40 OFFSET 7
