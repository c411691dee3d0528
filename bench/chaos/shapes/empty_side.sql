SELECT a.id, b.id FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = a.id AND s.v = 99
