-- data: gene
-- param word: SELECT w FROM unnest(ARRAY['binding','cell','regulation','kinase','transport','membrane','process','receptor','activity','signal','immune','muscle','repair','positive','metabolic','biosynthetic','response','development','neuro','acid']) w ORDER BY 1
SELECT t.go_id, t.term, count(b.gid) FROM go_term t JOIN go_bp b ON b.go_id = t.go_id WHERE t.term LIKE '%' || :word || '%' GROUP BY t.go_id, t.term ORDER BY 3 DESC;
