SELECT b.id, ARRAY(SELECT a.id FROM a WHERE a.b_id = b.id ORDER BY 1) FROM b WHERE b.kind = 4
