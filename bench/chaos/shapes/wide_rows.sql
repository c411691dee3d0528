SELECT w.id, w.body, w.doc, a.t FROM wide w LEFT JOIN a ON a.id = w.a_id WHERE w.id % 3 = {n} % 3
