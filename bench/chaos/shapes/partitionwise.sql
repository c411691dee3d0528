SELECT p.day, count(*), sum(q.w) FROM part p JOIN part2 q ON q.day = p.day AND q.w = p.v GROUP BY 1
