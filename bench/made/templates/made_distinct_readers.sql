-- data: made
-- param since: SELECT d::date FROM generate_series(date '2015-02-01', date '2018-12-01', interval '20 days') d
SELECT date_trunc('month', taken), count(DISTINCT reader_id) FROM loan WHERE taken >= :since::timestamp GROUP BY 1;
