-- data: errorprone
-- Nothing to correct here.
SELECT c.segment, count(*), count(r.id) FROM customer c LEFT JOIN review r ON r.customer_id = c.id AND r.stars = 5 GROUP BY 1;
