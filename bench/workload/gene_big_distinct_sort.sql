-- data: gene
-- param paper: SELECT DISTINCT pubmed_id FROM (SELECT pubmed_id, row_number() OVER (ORDER BY pubmed_id) AS n, count(*) OVER () AS c FROM pubmed WHERE pubmed_id IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT count(*) FROM (SELECT DISTINCT p.pubmed_id, b.go_id FROM pubmed p JOIN go_bp b ON b.gid = p.gid WHERE p.pubmed_id >= :paper::int AND b.evidence = 'TAS' AND p.gid % 3 = 0) s;
