-- data: made
-- param since: SELECT d::date FROM generate_series(date '2015-02-01', date '2018-12-01', interval '20 days') d
SELECT reader_id, count(*), sum(fee) FROM loan WHERE taken >= :since::timestamp GROUP BY 1 ORDER BY 3 DESC LIMIT 20;
