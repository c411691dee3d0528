-- data: gene
-- Nothing to correct here.
SELECT i.symbol, p.pubmed_id FROM gene_info i JOIN pubmed p ON p.gid = i.gid WHERE i.symbol = 'TP53' ORDER BY 2 LIMIT 50;
