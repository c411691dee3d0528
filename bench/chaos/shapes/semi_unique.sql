SELECT count(*) FROM a WHERE (a.grp, a.d) IN (SELECT p.v, p.day FROM part p)
