SELECT a.id FROM a WHERE a.b_id NOT IN (SELECT c_id FROM b WHERE c_id IS NOT NULL AND kind = 3) AND a.grp < 12
