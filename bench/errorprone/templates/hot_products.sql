-- data: errorprone
-- The first products have a hundred times the sales and the reviews of the rest, and both meet.
SELECT p.line, count(*), sum(s.amount)
FROM product p JOIN sale s ON s.product_id = p.id JOIN review r ON r.product_id = p.id
WHERE p.id <= 12 AND r.stars = 1 AND s.status = 3
GROUP BY 1;
