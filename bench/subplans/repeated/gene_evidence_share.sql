-- data: gene
-- Annotations of one gene in a thousand with the share of their kind of evidence.
SELECT b.evidence, count(*), min((SELECT count(*) FROM go_bp o WHERE o.evidence = b.evidence AND o.gid < 20000))
FROM go_bp b WHERE b.gid BETWEEN 1000 AND 1040 GROUP BY 1 ORDER BY 1;
