-- data: gene
SELECT count(*), sum(n) FROM (
  SELECT p.gid, count(*) AS n FROM pubmed p
  WHERE p.pubmed_id IN (SELECT pubmed_id FROM pubmed GROUP BY pubmed_id HAVING count(*) > 1)
  GROUP BY p.gid ORDER BY n DESC OFFSET 0) s;
