-- data: gene
-- Genes whose number no gene with a long list of aliases on the same chromosome passes.
SELECT c.chromosome, count(*) FROM chromosomes c
WHERE c.gid % 45 = 0 AND c.gid > ALL (
  SELECT a.gid FROM alias a JOIN chromosomes o USING (gid) WHERE o.chromosome = c.chromosome AND a.alias_symbol LIKE '%CT1%')
GROUP BY 1 ORDER BY 1;
