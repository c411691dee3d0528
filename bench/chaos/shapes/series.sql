SELECT g, count(a.id) FROM generate_series(0, 40) g LEFT JOIN a ON a.grp = g GROUP BY 1
