-- data: errorprone
-- Nothing to correct here.
SELECT s.channel, count(*), sum(t.weight)
FROM sale s JOIN shipment t ON t.sale_id = s.id WHERE s.sold_on BETWEEN '2020-02-01' AND '2020-04-30' GROUP BY 1;
