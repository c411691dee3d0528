-- data: errorprone
-- Line, brand and category say the same.
SELECT count(*), sum(l.price * s.amount)
FROM product p JOIN price_list l ON l.product_id = p.id JOIN sale s ON s.product_id = p.id
WHERE p.category = 19 AND p.brand = 118 AND p.line BETWEEN 590 AND 594 AND l.country = 3 AND s.status = 2;
