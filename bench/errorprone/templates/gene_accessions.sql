-- data: gene
SELECT count(*)
FROM accessions a JOIN refseq r ON r.gid = a.gid JOIN uniprot u ON u.gid = a.gid JOIN go_mf m ON m.gid = a.gid
WHERE a.accession LIKE 'NM%' AND r.accession LIKE 'XP%' AND m.evidence = 'IPI' AND m.go_id = 'GO:0005515';
