-- data: gene
-- param tid: SELECT DISTINCT tid FROM (SELECT tid, row_number() OVER (ORDER BY tid) AS n, count(*) OVER () AS c FROM go_bp_parents WHERE tid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
WITH RECURSIVE up AS (SELECT tid, parent_tid, 1 AS depth FROM go_bp_parents WHERE tid <= :tid::int AND tid > :tid::int - 400 UNION SELECT p.tid, p.parent_tid, up.depth + 1 FROM up JOIN go_bp_parents p ON p.tid = up.parent_tid) SELECT depth, count(*), count(DISTINCT parent_tid) FROM up GROUP BY 1 ORDER BY 1;
