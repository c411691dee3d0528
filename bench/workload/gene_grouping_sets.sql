-- data: gene
-- param evidence: SELECT evidence FROM go_cc_all GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
-- param chromosome: SELECT chromosome FROM chromosomes GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
SELECT ch.chromosome, cc.evidence, count(*) FROM go_cc_all cc JOIN chromosomes ch ON ch.gid = cc.gid WHERE cc.evidence <> :evidence AND ch.chromosome >= :chromosome GROUP BY GROUPING SETS ((1), (2), (1, 2));
