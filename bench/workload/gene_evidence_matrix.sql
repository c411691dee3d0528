-- data: gene
-- param gene: SELECT DISTINCT gid FROM (SELECT gid, row_number() OVER (ORDER BY gid) AS n, count(*) OVER () AS c FROM go_mf WHERE gid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT b.evidence, m.evidence AS of_function, count(*), count(DISTINCT b.go_id) FROM go_bp b JOIN go_mf m ON m.gid = b.gid WHERE b.gid <= :gene::int GROUP BY 1, 2 ORDER BY 3 DESC;
