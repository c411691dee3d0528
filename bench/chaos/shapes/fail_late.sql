SELECT x.grp, x.n / (x.grp - 36) FROM (SELECT a.grp, count(*) AS n FROM a JOIN b ON b.id = a.b_id GROUP BY 1) x
