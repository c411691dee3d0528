SELECT x.label, count(*) FROM joined x JOIN joined y ON y.grp = x.grp AND y.kind = x.kind WHERE x.id < 300 GROUP BY 1
