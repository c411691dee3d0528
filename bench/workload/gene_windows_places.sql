-- data: gene
-- param evidence: SELECT evidence FROM go_cc_all GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
SELECT max(n), avg(place) FROM (SELECT count(*) OVER (PARTITION BY go_id) AS n, row_number() OVER (PARTITION BY gid ORDER BY go_id) AS place FROM go_cc_all WHERE evidence <> :evidence) s;
