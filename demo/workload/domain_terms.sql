-- Which functions go with a family of protein domains? (selective start, skewed fan-out)
SELECT /* demo: domain_terms */ f.pfam_id, t.term, count(DISTINCT f.gid) AS genes
FROM pfam f
JOIN go_mf_all g ON g.gid = f.gid
JOIN go_bp_all b ON b.gid = f.gid AND b.evidence = g.evidence
JOIN go_term t ON t.go_id = g.go_id
WHERE f.pfam_id BETWEEN :'first_domain' AND :'last_domain'
GROUP BY f.pfam_id, t.term
ORDER BY genes DESC, 1, 2
LIMIT 20;
