-- data: gene
-- param gene: SELECT DISTINCT gid FROM (SELECT gid, row_number() OVER (ORDER BY gid) AS n, count(*) OVER () AS c FROM accessions WHERE gid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT left(accession, 3) AS prefix, count(*), count(DISTINCT gid) FROM accessions WHERE gid >= :gene::int GROUP BY 1 ORDER BY 2 DESC;
