-- data: gene
-- param gene: SELECT DISTINCT gid FROM (SELECT gid, row_number() OVER (ORDER BY gid) AS n, count(*) OVER () AS c FROM go_mf_all WHERE gid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT gid, go_id, evidence FROM go_mf_all WHERE gid >= :gene::int ORDER BY evidence, go_id DESC, gid;
