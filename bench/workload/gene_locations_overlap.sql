-- data: gene
-- param seqname: SELECT seqname FROM chromosome_locations GROUP BY 1 HAVING count(*) BETWEEN 200 AND 6000 ORDER BY 1
-- param size: SELECT g * 25 FROM generate_series(1, 40) g ORDER BY 1
SELECT count(*) FROM chromosome_locations a JOIN chromosome_locations b ON a.seqname = b.seqname AND abs(b.start_location) BETWEEN abs(a.start_location) AND abs(a.start_location) + :size::int WHERE a.seqname = :seqname AND a.gid < b.gid AND a.gid % 4 = 0;
