-- data: gene
-- param evidence: SELECT evidence FROM go_bp_all GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
SELECT b.gid, b.n, c.n AS places, m.n AS functions FROM (SELECT gid, count(*) AS n FROM go_bp_all WHERE evidence <> :evidence GROUP BY gid) b LEFT JOIN (SELECT gid, count(DISTINCT go_id) AS n FROM go_cc_all GROUP BY gid) c ON c.gid = b.gid LEFT JOIN (SELECT gid, count(*) AS n FROM go_mf_all GROUP BY gid) m ON m.gid = b.gid ORDER BY b.n DESC, b.gid LIMIT 50;
