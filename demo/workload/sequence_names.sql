-- All names under which genes of a kind are known, in order (union, duplicate removal, sort that spills).
SELECT /* demo: sequence_names */ count(*) AS names, min(name), max(name), avg(length(name))::numeric(6, 2) AS length
FROM (
  SELECT a.accession AS name, i.symbol FROM accessions a JOIN gene_info i ON i.gid = a.gid WHERE a.accession >= :'first_name'
  UNION
  SELECT r.accession, i.symbol FROM refseq r JOIN gene_info i ON i.gid = r.gid WHERE r.accession >= :'first_name'
  UNION
  SELECT s.alias_symbol, i.symbol FROM alias s JOIN gene_info i ON i.gid = s.gid
) names
WHERE symbol LIKE :'symbols';
