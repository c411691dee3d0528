SELECT a.id FROM a LEFT JOIN stale s ON s.a_id = a.id WHERE s.id IS NULL AND a.grp < 9
