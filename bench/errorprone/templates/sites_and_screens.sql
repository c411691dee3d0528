-- data: errorprone
SELECT r.stars, count(*)
FROM review r JOIN visit v ON v.product_id = r.product_id AND v.customer_id = r.customer_id
WHERE r.language = 9 AND r.currency = 109 AND r.site = 338 AND v.device = 1 AND v.engine = 51 AND v.system = 2 AND v.browser = 4
GROUP BY 1;
