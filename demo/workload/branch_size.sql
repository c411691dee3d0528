-- Genes under every term of a branch of the ontology (hierarchy join, aggregate over millions of rows).
SELECT /* demo: branch_size */ parent.term, count(DISTINCT g.gid) AS genes, count(*) AS annotations
FROM go_term parent
JOIN go_bp_offspring o ON o.tid = parent.tid
JOIN go_term child ON child.tid = o.offspring_tid
JOIN go_bp g ON g.go_id = child.go_id
WHERE parent.term LIKE :'terms' AND g.evidence <> :'evidence'
GROUP BY parent.term
ORDER BY genes DESC, parent.term
LIMIT 20;
