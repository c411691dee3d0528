-- Papers about genes of one pathway that also treat genes outside it (semi and anti joins).
SELECT /* demo: pathway_reading */ i.symbol, count(DISTINCT p.pubmed_id) AS papers
FROM pubmed p
JOIN gene_info i ON i.gid = p.gid
WHERE EXISTS (SELECT 1 FROM pubmed q JOIN kegg k ON k.gid = q.gid
              WHERE q.pubmed_id = p.pubmed_id AND k.path_id LIKE :'pathways')
  AND NOT EXISTS (SELECT 1 FROM kegg k WHERE k.gid = p.gid AND k.path_id LIKE :'pathways')
GROUP BY i.symbol
ORDER BY papers DESC, i.symbol
LIMIT 20;
