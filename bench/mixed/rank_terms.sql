-- data: gene
SELECT max(r), count(*) FROM (SELECT rank() OVER (PARTITION BY evidence ORDER BY gid, go_id) AS r FROM go_bp_all WHERE id % 2 = 0) s;
