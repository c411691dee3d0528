-- data: gene
-- param evidence: SELECT evidence FROM go_mf_all GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
-- param many: SELECT g FROM generate_series(1, 40) g ORDER BY 1
WITH per_gene AS (SELECT gid, count(*) AS n FROM go_mf_all WHERE evidence <> :evidence GROUP BY gid) SELECT gi.symbol, pg.n, count(p.pubmed_id) FROM per_gene pg JOIN gene_info gi ON gi.gid = pg.gid JOIN pubmed p ON p.gid = pg.gid WHERE pg.n >= :many::int GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 100;
