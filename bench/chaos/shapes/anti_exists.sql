SELECT b.id, b.t FROM b WHERE NOT EXISTS (SELECT FROM a WHERE a.b_id = b.id AND a.grp < {n} % 37)
