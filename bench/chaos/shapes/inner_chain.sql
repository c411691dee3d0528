SELECT a.grp, count(*), sum(a.n) FROM a JOIN b ON b.id = a.b_id JOIN c ON c.id = b.c_id WHERE c.id > {n} GROUP BY 1
