SELECT DISTINCT ON (a.grp) a.grp, a.n, a.id FROM a JOIN stale s ON s.a_id = a.id ORDER BY a.grp, a.n DESC, a.id, s.id
