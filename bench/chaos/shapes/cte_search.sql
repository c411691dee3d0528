WITH RECURSIVE t AS (SELECT id, parent FROM c WHERE parent IS NULL UNION SELECT c.id, c.parent FROM t
  JOIN c ON c.parent = t.id) SELECT count(*), sum(a.n) FROM t JOIN a ON a.grp = t.id
