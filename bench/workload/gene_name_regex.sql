-- data: gene
-- param pattern: SELECT w FROM unnest(ARRAY['kinase','receptor.*alpha','protein [0-9]+$','^zinc finger','open reading frame','pseudogene','channel','RNA','antisense','ubiquitin','family','homeobox','factor','transporter','long','binding protein']) w ORDER BY 1
SELECT gt.gene_type, count(*), min(gi.symbol) FROM gene_info gi JOIN genetype gt ON gt.gid = gi.gid WHERE gi.gene_name ~ :pattern GROUP BY 1 ORDER BY 2 DESC;
