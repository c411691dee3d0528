-- data: gene
-- Genes with more papers than any paper-poor gene of their type.
SELECT t.gene_type, count(*) FROM genetype t
WHERE t.gid % 90 = 0 AND (SELECT count(*) FROM genetype o JOIN gene_info i USING (gid) WHERE o.gene_type = t.gene_type AND i.gene_name LIKE '%receptor%') > 5
GROUP BY 1 ORDER BY 1;
