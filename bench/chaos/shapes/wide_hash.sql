SELECT count(*), min(x.body) FROM wide x JOIN wide y ON y.body = x.body JOIN a ON a.id = x.a_id
