SELECT a.id, a.t FROM a WHERE a.b_id IN (SELECT b.id FROM b JOIN c ON c.id = b.c_id WHERE c.id % 7 = {n} % 7)
