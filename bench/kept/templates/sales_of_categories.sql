-- data: errorprone
SELECT count(*), sum(s.amount)
FROM sale s JOIN customer c ON c.id = s.customer_id JOIN product p ON p.id = s.product_id
  JOIN review r ON r.product_id = p.id AND r.customer_id = c.id
WHERE s.channel = 1 AND s.sold_on >= '2021-06-01' AND r.language = c.country AND r.currency = c.currency AND p.brand / 6 = p.category AND p.line / 5 = p.brand;
