SELECT count(*) FROM a JOIN b ON b.id = a.b_id WHERE a.n + random() * 0 > {n}
