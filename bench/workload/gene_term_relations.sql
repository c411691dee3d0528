-- data: gene
-- param tid: SELECT DISTINCT tid FROM (SELECT tid, row_number() OVER (ORDER BY tid) AS n, count(*) OVER () AS c FROM go_bp_offspring WHERE tid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT p.relationship_type, count(*), count(DISTINCT p.parent_tid) FROM go_bp_offspring o JOIN go_bp_parents p ON p.tid = o.offspring_tid WHERE o.tid >= :tid::int GROUP BY 1 ORDER BY 2 DESC;
