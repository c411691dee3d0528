-- data: gene
-- param chromosome: SELECT chromosome FROM chromosomes GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
-- param evidence: SELECT evidence FROM go_mf GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
SELECT ch.chromosome, count(*), count(DISTINCT mf.go_id) FROM go_mf mf JOIN chromosomes ch ON ch.gid = mf.gid JOIN pfam pf ON pf.gid = mf.gid JOIN uniprot un ON un.gid = mf.gid JOIN gene_info gi ON gi.gid = mf.gid WHERE ch.chromosome >= :chromosome AND mf.evidence = :evidence GROUP BY 1;
