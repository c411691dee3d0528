-- data: gene
-- param evidence: SELECT evidence FROM go_bp_all GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
-- param other: SELECT evidence FROM go_mf_all GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
SELECT count(*) FROM (SELECT gid FROM go_bp_all WHERE evidence = :evidence INTERSECT SELECT gid FROM go_mf_all WHERE evidence = :other) s;
