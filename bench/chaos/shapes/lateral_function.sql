SELECT b.kind, count(*), sum(r.n) FROM b, LATERAL rows_of(b.kind) r WHERE b.id < 20 GROUP BY 1
