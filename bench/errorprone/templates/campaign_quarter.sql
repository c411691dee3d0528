-- data: errorprone
-- A campaign fixes channel and quarter.
SELECT v.device, count(*), sum(s.amount)
FROM sale s JOIN visit v ON v.customer_id = s.customer_id AND v.product_id = s.product_id
WHERE s.campaign = 7 AND s.channel = 2 AND s.status = 0 AND s.sold_on BETWEEN '2019-10-01' AND '2019-10-03' AND s.amount % 2 = 1
  AND v.engine = 52 AND v.device = 2 AND v.system = 4
GROUP BY 1;
