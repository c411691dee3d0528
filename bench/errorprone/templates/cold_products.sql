-- data: errorprone
-- The other end of the skew: fewer rows than planned, nothing to gain but a smaller hash.
SELECT count(*), sum(s.amount)
FROM product p JOIN sale s ON s.product_id = p.id JOIN customer c ON c.id = s.customer_id
WHERE p.id > 19900 AND c.segment = 1;
