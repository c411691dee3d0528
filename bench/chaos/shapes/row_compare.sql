SELECT count(*) FROM a JOIN b ON (a.grp, a.b_id) > (b.kind, b.id) WHERE a.id < 300
