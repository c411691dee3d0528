-- data: gene
-- param ontology: SELECT ontology FROM go_term GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
-- param length: SELECT g FROM generate_series(3, 9) g
SELECT word, count(*) FROM (SELECT unnest(string_to_array(lower(definition), ' ')) AS word FROM go_term WHERE ontology = :ontology) s WHERE length(word) > :length::int GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 50;
