SELECT a.id, b.t FROM a JOIN b ON b.id = a.b_id WHERE a.grp < 20 ORDER BY a.n, a.id
