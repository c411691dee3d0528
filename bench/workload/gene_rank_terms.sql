-- data: gene
-- param evidence: SELECT evidence FROM go_bp_all GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
SELECT count(*) FROM (SELECT go_id, gid, dense_rank() OVER (PARTITION BY go_id ORDER BY gid) AS r, lag(gid) OVER (PARTITION BY go_id ORDER BY gid) AS before FROM go_bp_all WHERE evidence <> :evidence) s WHERE r % 10 = 0;
