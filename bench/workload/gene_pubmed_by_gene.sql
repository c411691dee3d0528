-- data: gene
-- param gene: SELECT DISTINCT gid FROM (SELECT gid, row_number() OVER (ORDER BY gid) AS n, count(*) OVER () AS c FROM pubmed WHERE gid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT gid, count(*) AS papers FROM pubmed WHERE gid <= :gene::int GROUP BY gid ORDER BY papers DESC LIMIT 25;
