BEGIN
-- then
UPDATE a SET n = a.n + b.kind FROM b JOIN stale s ON s.id = b.id WHERE b.id = a.b_id AND a.grp = 3 RETURNING a.id, a.n
-- then
ROLLBACK
