-- data: errorprone
SELECT p.category, count(*)
FROM sale s JOIN product p ON p.id = s.product_id JOIN review r ON r.product_id = s.product_id AND r.customer_id = s.customer_id
WHERE extract(month FROM s.sold_on) = 12 AND extract(year FROM s.sold_on) = 2020 GROUP BY 1;
