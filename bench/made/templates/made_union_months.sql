-- data: made
-- param since: SELECT d::date FROM generate_series(date '2015-02-01', date '2018-12-01', interval '20 days') d
SELECT count(*) FROM (SELECT reader_id FROM loan WHERE taken < :since::timestamp UNION SELECT reader_id FROM loan WHERE taken >= :since::timestamp + interval '1 year') s;
