SELECT count(*), sum(id), sum(kind) FROM returned({n} % 37)
