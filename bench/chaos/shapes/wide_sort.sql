-- ordered
SELECT w.body, w.tags FROM wide w JOIN a ON a.id = w.a_id JOIN b ON b.id = a.b_id ORDER BY w.body, w.id
