-- data: gene
-- param go: SELECT go_id FROM (SELECT go_id, row_number() OVER (ORDER BY count(*)) AS n FROM go_bp_all GROUP BY 1) s WHERE n > 15000 ORDER BY n
SELECT gi.symbol, b.evidence FROM go_bp_all b JOIN gene_info gi ON gi.gid = b.gid WHERE b.go_id = :go;
