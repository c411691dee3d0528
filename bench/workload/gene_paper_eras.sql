-- data: gene
-- param gene: SELECT DISTINCT gid FROM (SELECT gid, row_number() OVER (ORDER BY gid) AS n, count(*) OVER () AS c FROM pubmed WHERE gid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT width_bucket(pubmed_id, 0, 40000000, 40) AS era, percentile_disc(0.5) WITHIN GROUP (ORDER BY gid) AS middle, count(*) FROM pubmed WHERE gid >= :gene::int GROUP BY 1 ORDER BY 1;
