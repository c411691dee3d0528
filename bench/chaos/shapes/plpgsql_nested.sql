SELECT nested({n} % 37), count(*) FROM a JOIN stale s ON s.a_id = a.grp
