-- data: errorprone
SELECT c.joined, count(v.at)
FROM customer c LEFT JOIN visit v ON v.customer_id = c.id AND v.device = 5 AND v.system = 10 AND v.browser = 15 AND v.engine = 55
WHERE c.country = 5 AND c.region = 22 AND c.city = 222 AND c.area_code = 2554 AND c.currency = 105
GROUP BY 1;
