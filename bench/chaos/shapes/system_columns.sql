SELECT a.tableoid::regclass, count(*), count(p.ctid) FROM a JOIN part p ON p.a_id = a.id GROUP BY 1
