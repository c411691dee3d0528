-- ordered
SELECT a.id, a.t, b.t FROM a JOIN b ON b.id = a.b_id ORDER BY a.t NULLS FIRST, b.t DESC, a.id
