-- data: gene
-- param tid: SELECT DISTINCT tid FROM (SELECT tid, row_number() OVER (ORDER BY tid) AS n, count(*) OVER () AS c FROM go_synonym WHERE tid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT t.ontology, s.synonym, t.term FROM go_synonym s JOIN go_term t ON t.tid = s.tid WHERE s.tid >= :tid::int ORDER BY length(s.synonym) DESC, s.synonym LIMIT 20;
