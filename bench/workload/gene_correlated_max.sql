-- data: gene
-- param from: SELECT g * 200 FROM generate_series(1, 350) g ORDER BY 1
-- param width: SELECT g * 400 FROM generate_series(1, 40) g ORDER BY 1
SELECT g.gid, (SELECT max(p.pubmed_id) FROM pubmed p WHERE p.gid = g.gid) AS latest FROM gene_info g WHERE g.gid BETWEEN :from::int AND :from::int + :width::int;
