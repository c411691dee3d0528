-- data: errorprone
-- A scalar subquery run per row, with few distinct parameters.
SELECT count(*)
FROM visit v
WHERE v.at < '2021-01-04' AND v.device = 1
  AND 3 < (SELECT avg(l.price) / 30 FROM price_list l JOIN product p ON p.id = l.product_id WHERE p.brand = v.browser AND l.country = v.system % 5);
