-- How many distinct papers stand behind each biological process? (large join, sort that spills, count(distinct))
SELECT /* demo: papers_per_process */ t.term, count(DISTINCT p.pubmed_id) AS papers, count(DISTINCT p.gid) AS genes
FROM go_bp g
JOIN go_term t ON t.go_id = g.go_id
JOIN pubmed p ON p.gid = g.gid
WHERE g.evidence = :'evidence' AND p.pubmed_id > :first_paper
GROUP BY t.term
ORDER BY papers DESC, t.term
LIMIT 20;
