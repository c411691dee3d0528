-- data: gene
SELECT count(*), sum(cardinality(aliases)) FROM (SELECT ARRAY(SELECT a.alias_symbol FROM alias a WHERE a.gid = g.gid) AS aliases FROM genes g OFFSET 0) s;
