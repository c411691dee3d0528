-- data: errorprone
-- 400 groups; as independent columns they would be more than there are rows.
SELECT c.country, c.region, c.city, c.area_code, c.currency, count(*), sum(s.amount)
FROM sale s JOIN customer c ON c.id = s.customer_id GROUP BY 1, 2, 3, 4, 5;
