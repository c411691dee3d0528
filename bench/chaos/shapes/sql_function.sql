SELECT x.kind, x.n FROM in_sql({n} % 37) x
