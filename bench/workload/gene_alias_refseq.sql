-- data: gene
-- param letter: SELECT DISTINCT left(alias_symbol, 1) AS l FROM alias WHERE alias_symbol ~ '^[A-Z]' ORDER BY 1
-- param kind: SELECT left(accession, 3) AS k FROM refseq GROUP BY 1 HAVING count(*) > 500 ORDER BY 1
SELECT count(*), count(DISTINCT al.gid) FROM alias al JOIN refseq rs ON rs.gid = al.gid JOIN ensembl en ON en.gid = al.gid WHERE al.alias_symbol LIKE :letter || '%' AND rs.accession LIKE :kind || '%';
