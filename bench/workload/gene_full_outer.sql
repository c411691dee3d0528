-- data: gene
-- param letter: SELECT DISTINCT left(symbol, 1) AS l FROM gene_info WHERE symbol ~ '^[A-Z]' ORDER BY 1
SELECT count(*), count(e.ensembl_id), count(n.ensembl_id) FROM ensembl e FULL JOIN ncbi2ensembl n ON n.gid = e.gid AND n.ensembl_id = e.ensembl_id LEFT JOIN gene_info gi ON gi.gid = coalesce(e.gid, n.gid) WHERE gi.symbol >= :letter OR gi.symbol IS NULL;
