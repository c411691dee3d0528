-- data: gene
-- param gene: SELECT DISTINCT gid FROM (SELECT gid, row_number() OVER (ORDER BY gid) AS n, count(*) OVER () AS c FROM genes WHERE gid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT count(*) FROM genes g WHERE g.gid >= :gene::int AND NOT EXISTS (SELECT 1 FROM go_bp_all b WHERE b.gid = g.gid AND b.evidence <> 'IEA');
