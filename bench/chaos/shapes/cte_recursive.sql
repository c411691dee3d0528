WITH RECURSIVE up AS (SELECT id, parent, 1 AS level FROM c WHERE id > 100 UNION ALL SELECT c.id, c.parent,
  up.level + 1 FROM up JOIN c ON c.id = up.parent) SELECT up.level, b.kind, count(*) FROM up
  JOIN b ON b.c_id = up.id GROUP BY 1, 2
