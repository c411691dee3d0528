-- Which processes run in which parts of the cell? (many-to-many join of two annotations)
SELECT /* demo: process_component */ bt.term, ct.term, count(*) AS genes
FROM go_bp_all b
JOIN go_cc_all c ON c.gid = b.gid
JOIN go_term bt ON bt.go_id = b.go_id
JOIN go_term ct ON ct.go_id = c.go_id
WHERE b.evidence = :'evidence' AND c.evidence = :'evidence' AND b.gid < :last_gene
GROUP BY bt.term, ct.term
ORDER BY genes DESC, 1, 2
LIMIT 20;
