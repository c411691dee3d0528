-- data: gene
-- param evidence: SELECT evidence FROM go_bp_all GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
SELECT evidence, count(*), count(DISTINCT gid) FROM (SELECT gid, evidence FROM go_bp_all UNION ALL SELECT gid, evidence FROM go_cc_all UNION ALL SELECT gid, evidence FROM go_mf_all) s WHERE evidence <> :evidence GROUP BY 1 ORDER BY 2 DESC;
