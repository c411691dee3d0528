-- data: gene
-- param gene: SELECT DISTINCT gid FROM (SELECT gid, row_number() OVER (ORDER BY gid) AS n, count(*) OVER () AS c FROM accessions WHERE gid IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT count(*), min(a.accession), max(b.go_id) FROM accessions a JOIN go_cc_all b ON b.gid = a.gid WHERE a.gid <= :gene::int AND b.evidence = 'IDA' AND a.accession > 'M';
