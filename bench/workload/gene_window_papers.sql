-- data: gene
-- param gene: SELECT DISTINCT gid FROM (SELECT gid, row_number() OVER (ORDER BY gid) AS n, count(*) OVER () AS c FROM pubmed WHERE gid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT gid, pubmed_id FROM (SELECT gid, pubmed_id, row_number() OVER (PARTITION BY gid ORDER BY pubmed_id DESC) AS n FROM pubmed WHERE gid >= :gene::int) s WHERE n <= 3;
