-- Genes that take part in most of the processes that a given set of genes takes part in (self join by annotation).
SELECT /* demo: shared_processes */ i.symbol, count(DISTINCT other.go_id) AS shared
FROM go_bp_all mine
JOIN gene_info m ON m.gid = mine.gid
JOIN go_bp_all other ON other.go_id = mine.go_id AND other.gid <> mine.gid
JOIN gene_info i ON i.gid = other.gid
WHERE m.symbol LIKE :'symbols' AND mine.evidence = :'evidence' AND other.evidence = :'evidence'
GROUP BY i.symbol
ORDER BY shared DESC, i.symbol
LIMIT 20;
