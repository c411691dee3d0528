-- What kind of evidence supports the annotations of each kind of gene? (scan and hash join of all three ontologies)
SELECT /* demo: evidence_profile */ t.gene_type, a.ontology, a.evidence, count(*) AS annotations, count(DISTINCT a.gid) AS genes
FROM (
  SELECT 'process' AS ontology, gid, evidence FROM go_bp_all
  UNION ALL SELECT 'component', gid, evidence FROM go_cc_all
  UNION ALL SELECT 'function', gid, evidence FROM go_mf_all
) a
JOIN genetype t ON t.gid = a.gid
WHERE t.gene_type LIKE :'types' AND a.gid > :first_gene
GROUP BY t.gene_type, a.ontology, a.evidence
ORDER BY annotations DESC
LIMIT 20;
