-- data: gene
SELECT count(*), max(n) FROM (SELECT gid, go_id, count(*) AS n FROM go_bp_all GROUP BY gid, go_id OFFSET 0) s;
