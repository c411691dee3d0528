-- data: gene
-- param gene: SELECT DISTINCT gid FROM (SELECT gid, row_number() OVER (ORDER BY gid) AS n, count(*) OVER () AS c FROM ucsc WHERE gid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT max(cardinality(ids)) FROM (SELECT gid, array_agg(ucsc_id ORDER BY ucsc_id) AS ids FROM ucsc WHERE gid >= :gene::int GROUP BY gid) s;
