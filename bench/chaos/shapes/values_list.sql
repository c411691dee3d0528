SELECT v.x, count(a.id) FROM (VALUES (1), (2), (NULL), ({n})) v(x) LEFT JOIN a ON a.grp = v.x GROUP BY 1
