-- data: gene
SELECT g.gid, count(*) FROM genes g JOIN pubmed p ON p.gid = g.gid WHERE p.pubmed_id BETWEEN 12477932 AND 12477940 GROUP BY g.gid ORDER BY 2 DESC LIMIT 10;
