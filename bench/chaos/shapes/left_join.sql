SELECT b.id, b.t, count(a.id), min(a.t) FROM b LEFT JOIN a ON a.b_id = b.id AND a.grp > {n} % 37 GROUP BY 1, 2
