-- data: errorprone
-- Nothing to correct here.
SELECT c.country, p.category, count(*), sum(s.amount)
FROM sale s JOIN customer c ON c.id = s.customer_id JOIN product p ON p.id = s.product_id GROUP BY 1, 2;
