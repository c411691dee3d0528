SELECT count(*), sum(a.n) FROM a TABLESAMPLE SYSTEM (40) REPEATABLE (7) JOIN b ON b.id = a.b_id
