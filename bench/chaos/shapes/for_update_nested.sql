SELECT count(*) FROM (SELECT a.id FROM a JOIN b ON b.id = a.b_id WHERE a.grp = 5 FOR SHARE) x
