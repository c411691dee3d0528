BEGIN
-- then
DELETE FROM stale USING a WHERE a.id = stale.a_id AND a.grp < 5 RETURNING stale.id
-- then
ROLLBACK
