-- Genes that lie within reach of each other on a chromosome and share a process (nested loops over ranges).
SELECT /* demo: neighbours */ a.symbol, b.symbol, count(*) AS shared
FROM chromosome_locations l
JOIN chromosome_locations r ON r.seqname = l.seqname AND r.gid > l.gid
  AND abs(r.start_location) BETWEEN abs(l.start_location) - :reach AND abs(l.start_location) + :reach
JOIN go_bp_all g ON g.gid = l.gid
JOIN go_bp_all h ON h.gid = r.gid AND h.go_id = g.go_id
JOIN gene_info a ON a.gid = l.gid
JOIN gene_info b ON b.gid = r.gid
WHERE l.seqname = :'chromosome'
GROUP BY a.symbol, b.symbol
ORDER BY shared DESC, 1, 2
LIMIT 20;
