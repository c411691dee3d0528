-- data: gene
-- param tid: SELECT DISTINCT tid FROM (SELECT tid, row_number() OVER (ORDER BY tid) AS n, count(*) OVER () AS c FROM go_bp_offspring WHERE tid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT up.term, count(DISTINCT b.gid) FROM go_term up JOIN go_bp_offspring o ON o.tid = up.tid JOIN go_term t ON t.tid = o.offspring_tid JOIN go_bp_all b ON b.go_id = t.go_id WHERE up.tid BETWEEN :tid::int - 1500 AND :tid::int AND b.evidence = 'IMP' GROUP BY up.term ORDER BY 2 DESC LIMIT 25;
