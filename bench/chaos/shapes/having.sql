SELECT b.c_id, count(*) FROM a JOIN b ON b.id = a.b_id GROUP BY 1 HAVING count(*) > 20 AND sum(a.n) > 100
