-- data: gene
-- param gene: SELECT DISTINCT gid FROM (SELECT gid, row_number() OVER (ORDER BY gid) AS n, count(*) OVER () AS c FROM pubmed WHERE gid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT gi.symbol, x.n, x.latest FROM gene_info gi CROSS JOIN LATERAL (SELECT count(*) AS n, max(p.pubmed_id) AS latest FROM pubmed p WHERE p.gid = gi.gid) x WHERE gi.gid >= :gene::int AND x.n > 2 ORDER BY x.n DESC LIMIT 20;
