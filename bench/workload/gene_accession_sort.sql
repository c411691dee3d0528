-- data: gene
-- param prefix: SELECT DISTINCT left(accession, 1) FROM accessions ORDER BY 1
SELECT accession, gid FROM accessions WHERE accession LIKE :prefix || '%' ORDER BY accession DESC;
