SELECT x.k, count(*) FROM (SELECT b_id AS k FROM a UNION ALL SELECT a_id FROM stale UNION ALL SELECT v
  FROM part) x JOIN b ON b.id = x.k GROUP BY 1
