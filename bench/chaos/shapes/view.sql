SELECT kind, label, count(*), sum(n) FROM joined WHERE grp > {n} % 37 GROUP BY 1, 2
