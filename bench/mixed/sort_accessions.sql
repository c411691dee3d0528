-- data: gene
SELECT count(*), min(accession) FROM (SELECT accession, gid FROM accessions ORDER BY accession DESC, gid OFFSET 0) s;
