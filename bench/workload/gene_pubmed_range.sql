-- data: gene
-- param paper: SELECT DISTINCT pubmed_id FROM (SELECT pubmed_id, row_number() OVER (ORDER BY pubmed_id) AS n, count(*) OVER () AS c FROM pubmed WHERE pubmed_id IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT count(*), max(gid) FROM pubmed WHERE pubmed_id % 7 < 3 AND pubmed_id <= :paper::int;
