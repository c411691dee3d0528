-- data: gene
-- param type: SELECT gene_type FROM genetype GROUP BY 1 HAVING count(*) > 30 ORDER BY 1
-- param paper: SELECT DISTINCT pubmed_id FROM (SELECT pubmed_id, row_number() OVER (ORDER BY pubmed_id) AS n, count(*) OVER () AS c FROM pubmed WHERE pubmed_id IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT p.pubmed_id, count(*) FROM pubmed p JOIN genetype t ON t.gid = p.gid WHERE t.gene_type = :type AND p.pubmed_id >= :paper::int GROUP BY 1 HAVING count(*) > 5 ORDER BY 2 DESC;
