-- data: gene
SELECT count(*), sum(named) FROM (
  SELECT (SELECT count(*) FROM alias a WHERE a.gid = i.gid AND a.alias_symbol = i.symbol) AS named FROM gene_info i OFFSET 0) s;
