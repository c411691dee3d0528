SELECT a.id, (SELECT max(b.t) FROM b WHERE b.kind = a.grp % 9) FROM a WHERE a.id % 5 = {n} % 5
