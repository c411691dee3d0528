-- Counts papers and regulated processes of each gene, one gene after the other (correlated subqueries, update).
UPDATE demo_score s
SET papers = (SELECT count(*) FROM pubmed p WHERE p.gid = s.gid),
    processes = (SELECT count(DISTINCT b.go_id) FROM go_bp_all b JOIN go_term t ON t.go_id = b.go_id
                 WHERE b.gid = s.gid AND t.term LIKE '%regulation%');
