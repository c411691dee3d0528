SELECT p.id, a.t FROM part p LEFT JOIN a ON a.id = p.a_id WHERE p.day = date '2024-05-01' + (SELECT min(kind) FROM b)
