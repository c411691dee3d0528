-- One query of WITH, put into the query around it twice and given another filter each time.
WITH x AS NOT MATERIALIZED (SELECT a.b_id, a.grp, count(*) AS n, max(a.d) AS last FROM a JOIN stale s ON s.a_id = a.grp GROUP BY 1, 2)
SELECT count(*), sum(u.n + v.n), min(u.last) FROM x u JOIN x v ON v.b_id = u.b_id JOIN b ON b.id = v.b_id
  WHERE u.grp = {n} % 37 AND v.grp <> 3
