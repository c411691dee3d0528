-- data: gene
-- Obsolete or like a long term of its ontology: terms by ontology.
SELECT s.ontology, count(*) FROM (SELECT t.ontology, left(t.term, 1) AS start FROM go_term t WHERE t.tid % 60 = 0 OFFSET 0) s
WHERE 'c' > s.start OR EXISTS (
  SELECT 1 FROM go_term o WHERE o.ontology <= s.ontology AND left(o.term, 1) = s.start AND length(o.term) > 180)
GROUP BY 1 ORDER BY 1;
