-- data: gene
-- param evidence: SELECT evidence FROM go_bp_all GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
SELECT t.term, count(*) FROM go_bp_all b JOIN go_term t ON t.go_id = b.go_id WHERE b.evidence = :evidence GROUP BY 1 ORDER BY 2 DESC LIMIT 30;
