-- data: gene
SELECT count(*), max(accession) FROM accessions WHERE gid = 7157;
