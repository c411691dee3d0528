SELECT count(*), sum(a.n) FROM a, c WHERE a.id < 100 AND c.id < 90
