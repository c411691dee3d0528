-- data: gene
-- Two levels of a hierarchy: a term near the root has thousands of offspring.
SELECT d.term, count(DISTINCT g.gid)
FROM go_term a JOIN go_bp_offspring o ON o.tid = a.tid JOIN go_term d ON d.tid = o.offspring_tid
  JOIN go_bp g ON g.go_id = d.go_id JOIN kegg k ON k.gid = g.gid JOIN omim m ON m.gid = g.gid
WHERE a.term = 'biological regulation' AND k.path_id = '04010' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20;
