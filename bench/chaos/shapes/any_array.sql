SELECT count(*) FROM a WHERE a.b_id = ANY (SELECT unnest(tags) FROM wide) OR a.grp = ANY (ARRAY[1, 2])
