BEGIN
-- then
SET LOCAL geqo_threshold = 2
-- then
SELECT count(*) FROM a JOIN b ON b.id = a.b_id JOIN c ON c.id = b.c_id JOIN stale s ON s.id = a.id
  JOIN part p ON p.id = a.id JOIN part2 q ON q.id = p.id
-- then
COMMIT
