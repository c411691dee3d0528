-- ordered
SELECT a.grp FROM a JOIN b ON b.id = a.b_id ORDER BY a.grp FETCH FIRST 30 ROWS WITH TIES
