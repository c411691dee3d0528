-- data: errorprone
-- Nothing to correct here.
SELECT s.id, s.amount, c.email FROM sale s JOIN customer c ON c.id = s.customer_id ORDER BY s.amount DESC, s.id LIMIT 100;
