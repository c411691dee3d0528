SELECT count(*) FROM a JOIN c ON c.id = a.grp OR c.id = a.b_id WHERE a.id < 700
