BEGIN
-- then
INSERT INTO marked SELECT a.grp FROM a JOIN b ON b.id = a.b_id WHERE b.kind = 4 GROUP BY 1 HAVING count(*) > {n} / 10
-- then
SELECT n, kinds FROM account
-- then
ROLLBACK
