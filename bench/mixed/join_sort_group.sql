-- data: gene
SELECT count(*), max(papers) FROM (
  SELECT c.go_id, a.accession, count(*) AS papers
  FROM go_cc c JOIN accessions a ON a.gid = c.gid JOIN genes g ON g.gid = a.gid WHERE c.gid % 3 = 0
  GROUP BY c.go_id, a.accession ORDER BY papers DESC, c.go_id OFFSET 0) s;
