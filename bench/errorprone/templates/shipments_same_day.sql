-- data: errorprone
-- What two depots sent on the same day; no index on the day.
SELECT count(*), sum(a.weight + b.weight)
FROM shipment a JOIN shipment b ON b.sent_on = a.sent_on AND b.weight = a.weight
WHERE a.carrier = 7 AND a.service = 29 AND a.depot = 85 AND a.hub = 221 AND a.tariff = 529
  AND b.carrier = 7 AND b.service = 30 AND b.depot = 90 AND b.hub = 222 AND b.tariff = 530;
