-- data: kinds
-- param fee: SELECT g * 0.1 FROM generate_series(1, 49) g
SELECT count(*), avg(days), min(md5(fee::text)) FROM loan WHERE fee >= :fee::numeric AND days % 7 <> 3;
