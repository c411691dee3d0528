-- data: gene
SELECT count(*)
FROM go_bp_all a JOIN go_bp_all b ON b.gid = a.gid JOIN go_term t ON t.go_id = b.go_id
WHERE a.go_id IN ('GO:0006915', 'GO:0042981') AND a.evidence = 'IDA' AND b.evidence = 'IDA' AND t.term LIKE 'regulation of%';
