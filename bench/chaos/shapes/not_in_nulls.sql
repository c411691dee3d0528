SELECT count(*) FROM a WHERE a.b_id NOT IN (SELECT c_id FROM b)
