-- data: gene
SELECT count(*), max(b.go_id) FROM go_bp_all b JOIN pubmed p ON p.id = b.id WHERE p.pubmed_id % 7 <> 0;
