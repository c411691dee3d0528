-- Which pairs of genes are written about in the same papers? (self join, heavy skew, hash aggregate)
SELECT /* demo: cocitation */ a.symbol, b.symbol, count(*) AS papers
FROM pubmed p
JOIN pubmed q ON q.pubmed_id = p.pubmed_id AND q.gid > p.gid
JOIN gene_info a ON a.gid = p.gid
JOIN gene_info b ON b.gid = q.gid
WHERE p.pubmed_id BETWEEN :first_paper AND :last_paper
  AND p.pubmed_id NOT IN (SELECT pubmed_id FROM pubmed GROUP BY pubmed_id HAVING count(*) > 200)
GROUP BY a.symbol, b.symbol
ORDER BY papers DESC, 1, 2
LIMIT 20;
