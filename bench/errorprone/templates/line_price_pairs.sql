-- data: errorprone
SELECT a.country, b.country, count(*)
FROM product p JOIN price_list a ON a.product_id = p.id JOIN price_list b ON b.product_id = p.id
WHERE p.category = 4 AND p.brand = 28 AND p.line = 141 AND p.price BETWEEN 6 AND 300 AND a.price < b.price AND a.valid_from < b.valid_from
  AND a.price + a.country = 40
GROUP BY 1, 2;
