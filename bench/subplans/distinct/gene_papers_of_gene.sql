-- data: gene
SELECT count(*), sum(papers) FROM (SELECT (SELECT count(*) FROM pubmed p WHERE p.gid = g.gid) AS papers FROM genes g OFFSET 0) s;
