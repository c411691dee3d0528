SELECT b.id FROM b WHERE EXISTS (SELECT FROM a JOIN stale s ON s.a_id = a.id WHERE a.b_id = b.id AND s.v > 0)
