BEGIN
-- then
SELECT a.id, b.t INTO TEMP made FROM a LEFT JOIN b ON b.id = a.b_id
-- then
SELECT count(*), max(t) FROM made
-- then
DROP TABLE made
-- then
COMMIT
