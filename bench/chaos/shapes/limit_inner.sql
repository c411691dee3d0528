SELECT count(*) FROM (SELECT a.id FROM a JOIN b ON b.id = a.b_id ORDER BY a.id LIMIT 900) x
  JOIN stale s ON s.a_id = x.id
