SELECT count(*), sum(1 / (a.id - 4000)) FROM a JOIN b ON b.id = a.b_id OR b.id = 1 JOIN stale s ON s.id = a.id
