SELECT count(*), count(DISTINCT p.a_id), max(s.v) FROM part p LEFT JOIN stale s ON s.a_id = p.a_id
