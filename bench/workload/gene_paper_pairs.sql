-- data: gene
-- param from: SELECT g * 400 FROM generate_series(0, 60) g ORDER BY 1
-- param width: SELECT g * 15 FROM generate_series(2, 20) g ORDER BY 1
SELECT a.gid, count(*) AS shared, count(DISTINCT b.gid) AS partners FROM pubmed a JOIN pubmed b ON b.pubmed_id = a.pubmed_id AND b.gid % 40 = 0 WHERE a.gid BETWEEN :from::int AND :from::int + :width::int GROUP BY 1 ORDER BY 3 DESC LIMIT 50;
