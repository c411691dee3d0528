SELECT count(*) FROM a x JOIN a y ON y.b_id = x.b_id AND y.grp = x.grp JOIN a z ON z.b_id = y.b_id
