-- data: gene
SELECT count(*), max(pubmed_id) FROM (SELECT DISTINCT gid, pubmed_id FROM pubmed) s;
