-- ordered
SELECT a.grp, a.d, a.id FROM a JOIN stale s ON s.a_id = a.id ORDER BY a.grp, a.d, a.id, s.id
