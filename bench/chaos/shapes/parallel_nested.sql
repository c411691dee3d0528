SELECT a.grp, count(*), max(count_by_loop(a.grp)) FROM a JOIN b ON b.id = a.b_id WHERE a.grp < 4 GROUP BY 1
