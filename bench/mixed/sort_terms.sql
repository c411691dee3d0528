-- data: gene
SELECT count(*), max(go_id) FROM (SELECT gid, go_id FROM go_bp_all ORDER BY go_id, gid OFFSET 0) s;
