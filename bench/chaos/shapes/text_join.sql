SELECT b.kind, count(*) FROM a JOIN b ON b.t = a.t GROUP BY 1
