SELECT count(*) FROM a WHERE a.n > (SELECT avg(x.n) FROM a x WHERE x.grp = a.grp) AND a.id < 900
