-- data: errorprone
-- Two reads of an unindexed log joined by a pair of columns.
SELECT a.browser, count(*)
FROM visit a JOIN visit b ON b.customer_id = a.customer_id AND b.product_id = a.product_id AND b.at > a.at
WHERE a.device = 5 AND a.system = 10 AND a.browser = 16 AND a.engine = 55 AND a.screen = 820
  AND b.device = 5 AND b.system = 11 AND b.browser = 17 AND b.engine = 55 AND b.screen = 823
GROUP BY 1;
