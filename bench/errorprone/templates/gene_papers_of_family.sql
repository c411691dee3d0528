-- data: gene
SELECT count(*), count(DISTINCT q.gid)
FROM pfam f JOIN pubmed p ON p.gid = f.gid JOIN pubmed q ON q.pubmed_id = p.pubmed_id JOIN genetype y ON y.gid = q.gid
WHERE f.pfam_id = 'PF00069' AND p.pubmed_id BETWEEN 30000000 AND 30200000 AND y.gene_type = 'protein-coding';
