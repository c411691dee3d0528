-- data: errorprone
WITH seen AS MATERIALIZED (
  SELECT customer_id, product_id, 'visit' AS how, screen AS mark FROM visit WHERE at < '2021-03-01'
  UNION ALL SELECT customer_id, product_id, 'review', stars FROM review WHERE written_on < '2018-03-01')
SELECT count(*)
FROM seen a JOIN seen b ON b.customer_id = a.customer_id AND b.product_id = a.product_id
WHERE a.how = 'review' AND a.mark = 1 AND b.how = 'visit' AND b.mark = 803 AND a.product_id % 4 = 0;
