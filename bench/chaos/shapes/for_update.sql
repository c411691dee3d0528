SELECT a.id FROM a JOIN b ON b.id = a.b_id WHERE a.grp = {n} % 37 FOR UPDATE OF a
