-- data: gene
-- param evidence: SELECT evidence FROM go_bp_all GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
SELECT count(*), count(DISTINCT go_id) FROM go_bp_all WHERE evidence = :evidence;
