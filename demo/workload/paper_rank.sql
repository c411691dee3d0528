-- Papers of each gene ranked by how many genes they mention (window function over a large sort).
SELECT /* demo: paper_rank */ symbol, pubmed_id, genes
FROM (
  SELECT i.symbol, p.pubmed_id, n.genes,
         row_number() OVER (PARTITION BY p.gid ORDER BY n.genes DESC, p.pubmed_id) AS rank
  FROM pubmed p
  JOIN (SELECT pubmed_id, count(*) AS genes FROM pubmed GROUP BY pubmed_id) n ON n.pubmed_id = p.pubmed_id
  JOIN gene_info i ON i.gid = p.gid
  WHERE n.genes < :most_genes AND p.gid > :first_gene
) ranked
WHERE rank = 1
ORDER BY genes DESC, symbol
LIMIT 20;
