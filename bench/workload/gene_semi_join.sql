-- data: gene
-- param path: SELECT DISTINCT path_id FROM (SELECT path_id, row_number() OVER (ORDER BY path_id) AS n, count(*) OVER () AS c FROM kegg WHERE path_id IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT count(*) FROM pubmed p WHERE EXISTS (SELECT 1 FROM kegg k WHERE k.gid = p.gid AND k.path_id >= :path);
