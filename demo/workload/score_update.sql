-- Counts what is known of each gene, one gene after the other (correlated subqueries, update).
UPDATE /* demo: score_update */ demo_score s
SET processes = (SELECT count(DISTINCT t.term) FROM go_bp_all a JOIN go_term t ON t.go_id = a.go_id WHERE a.gid = s.gid),
    components = (SELECT count(DISTINCT t.term) FROM go_cc_all a JOIN go_term t ON t.go_id = a.go_id WHERE a.gid = s.gid),
    functions = (SELECT count(DISTINCT t.term) FROM go_mf_all a JOIN go_term t ON t.go_id = a.go_id WHERE a.gid = s.gid),
    papers = (SELECT count(*) FROM pubmed p WHERE p.gid = s.gid);
