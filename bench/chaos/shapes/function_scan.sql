SELECT r.grp, count(*) FROM rows_of({n} % 37) r JOIN b ON b.id = r.b_id JOIN stale s ON s.a_id = r.grp GROUP BY 1
