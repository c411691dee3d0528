-- data: errorprone
-- Two dimensions are hashed and right; what they leave of the facts is not, since a review's language is its writer's.
SELECT p.category, count(*)
FROM review r JOIN customer c ON c.id = r.customer_id JOIN product p ON p.id = r.product_id JOIN visit v ON v.customer_id = c.id
WHERE r.language = c.country AND r.currency = c.currency AND r.site = 300 + c.region AND r.stars = 1
  AND v.product_id BETWEEN p.id - 1 AND p.id + 1 AND v.device < 4
GROUP BY 1;
