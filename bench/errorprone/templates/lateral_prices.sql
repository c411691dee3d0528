-- data: errorprone
SELECT count(*), sum(x.dearest)
FROM customer c, LATERAL (SELECT max(l.price) AS dearest FROM price_list l WHERE l.country = c.country % 5 AND l.product_id % 50 = c.segment) x
WHERE c.country = 1 AND c.region = 7 AND c.city = 79 AND c.area_code = 1553 AND c.currency = 101;
