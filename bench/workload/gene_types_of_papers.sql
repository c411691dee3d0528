-- data: gene
-- param paper: SELECT DISTINCT pubmed_id FROM (SELECT pubmed_id, row_number() OVER (ORDER BY pubmed_id) AS n, count(*) OVER () AS c FROM pubmed WHERE pubmed_id IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT t.gene_type, count(DISTINCT p.pubmed_id) FROM pubmed p JOIN genetype t ON t.gid = p.gid WHERE p.pubmed_id >= :paper::int GROUP BY 1 ORDER BY 2 DESC;
