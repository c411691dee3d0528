-- data: gene
-- The first symbols of each gene's chromosome.
SELECT count(*), count(DISTINCT listed) FROM (
  SELECT ARRAY(SELECT i.symbol FROM chromosomes o JOIN gene_info i USING (gid) WHERE o.chromosome = c.chromosome AND i.symbol LIKE 'ZN%'
    ORDER BY i.symbol LIMIT 5) AS listed
  FROM chromosomes c WHERE c.gid % 150 = 0 OFFSET 0) s;
