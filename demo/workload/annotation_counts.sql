-- Annotations and papers per gene, all genes (parallel scans, joins and aggregates).
SELECT /* demo: annotation_counts */ t.gene_type, count(*) AS genes, sum(b.n) AS annotations, sum(p.n) AS papers, max(p.n) AS most
FROM genetype t
JOIN (SELECT gid, count(DISTINCT go_id) AS n FROM go_bp_all WHERE evidence <> :'evidence' GROUP BY gid) b ON b.gid = t.gid
JOIN (SELECT gid, count(*) AS n FROM pubmed WHERE pubmed_id > :first_paper GROUP BY gid) p ON p.gid = t.gid
GROUP BY t.gene_type
ORDER BY annotations DESC;
