-- data: gene
SELECT evidence, count(*) FROM go_bp WHERE gid BETWEEN 1000 AND 1200 GROUP BY evidence ORDER BY evidence;
