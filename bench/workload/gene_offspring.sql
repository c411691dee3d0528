-- data: gene
-- param tid: SELECT DISTINCT tid FROM (SELECT tid, row_number() OVER (ORDER BY tid) AS n, count(*) OVER () AS c FROM go_bp_offspring WHERE tid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT o.tid, count(*), count(DISTINCT b.gid) FROM go_bp_offspring o JOIN go_term t ON t.tid = o.offspring_tid JOIN go_bp b ON b.go_id = t.go_id WHERE o.tid >= :tid::int GROUP BY 1 ORDER BY 3 DESC LIMIT 40;
