-- data: gene
-- param pattern: SELECT w FROM unnest(ARRAY['[0-9]{7,}','^[A-Z]{2}_','5[0-9]*5','^[A-C]','[.]2$','0{3}','^[^_]*$','9{2}']) w ORDER BY 1
SELECT substring(accession FROM '^[A-Z]+') AS prefix, count(*), max(length(accession)) FROM accessions WHERE accession ~ :pattern GROUP BY 1 ORDER BY 2 DESC LIMIT 40;
