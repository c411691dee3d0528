SELECT a.id FROM a WHERE a.id < 1500 AND (a.grp = 3 OR EXISTS (SELECT FROM stale s WHERE s.a_id = a.id AND s.v = 2))
