-- data: gene
-- param band: SELECT DISTINCT left(cytogenetic_location, 2) AS b FROM cytogenetic_locations WHERE cytogenetic_location ~ '^[0-9]' ORDER BY 1
-- param evidence: SELECT evidence FROM go_cc GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
SELECT count(*) FROM go_cc cc JOIN cytogenetic_locations cy ON cy.gid = cc.gid JOIN uniprot un ON un.gid = cc.gid JOIN ensembl en ON en.gid = cc.gid JOIN genetype gt ON gt.gid = cc.gid JOIN omim om ON om.gid = cc.gid WHERE cy.cytogenetic_location LIKE :band || '%' AND cc.evidence = :evidence AND gt.gene_type = 'protein-coding';
