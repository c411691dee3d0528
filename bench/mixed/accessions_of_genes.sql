-- data: gene
SELECT count(*), max(length(list)) FROM (
  SELECT gid, string_agg(accession, ',' ORDER BY accession) AS list FROM accessions GROUP BY gid OFFSET 0) s;
