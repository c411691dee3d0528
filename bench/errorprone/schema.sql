-- A trading house whose columns hang together as those of real tables do, and the planner takes them for independent:
-- an address is told by five columns that follow from the city, a product's line tells its brand and its category, a
-- carrier serves its own depots, and few customers and products make most of the sales. `visit` and `price_list` have no
-- index on what they are joined by, as tables that were added later often have none.
CREATE FUNCTION uniform(n bigint, stream int) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN (hashint8extended(n, stream) & 1073741823) / 1073741824.0;

CREATE TABLE customer (id int PRIMARY KEY, country int, region int, city int, area_code int, currency int, segment int,
  joined date, email text);
CREATE TABLE supplier (id int PRIMARY KEY, country int, rating int, name text);
CREATE TABLE product (id int PRIMARY KEY, category int, brand int, line int, supplier_id int, price int, name text);
CREATE TABLE sale (id int PRIMARY KEY, customer_id int, product_id int, sold_on date, channel int, status int,
  campaign int, amount int);
CREATE TABLE shipment (id int PRIMARY KEY, sale_id int, carrier int, service int, depot int, hub int, tariff int,
  sent_on date, weight int);
CREATE TABLE review (id int PRIMARY KEY, product_id int, customer_id int, stars int, language int, site int, currency int,
  written_on date);
CREATE TABLE visit (customer_id int, product_id int, device int, system int, browser int, engine int, screen int,
  at timestamp);
CREATE TABLE price_list (product_id int, country int, valid_from date, price int);

INSERT INTO customer
SELECT g, city / 40, city / 10, city, 1000 + city * 7, 100 + city / 40,
  CASE WHEN uniform(g, 2) < 0.9 THEN city / 40 % 4 ELSE floor(4 * uniform(g, 3))::int END,
  date '2012-01-01' + g / 40, md5(g::text) || '@' || city || '.example'
FROM (SELECT g, floor(400 * power(uniform(g, 1), 2))::int AS city FROM generate_series(1, 120000) g) s;

INSERT INTO supplier
SELECT g, floor(10 * power(uniform(g, 4), 2))::int, 1 + floor(5 * uniform(g, 5))::int, 'supplier ' || g
FROM generate_series(1, 2000) g;

-- Lines 0..599 are numbered within brands (0..119), brands within categories (0..19).
INSERT INTO product
SELECT g, line / 30, line / 5, line, 1 + (line * 3 + g % 3) % 2000, 5 + floor(500 * power(uniform(g, 6), 3))::int,
  'product ' || g || ' of line ' || line
FROM (SELECT g, floor(600 * power(uniform(g, 7), 1.5))::int AS line FROM generate_series(1, 20000) g) s;

-- Campaigns ran on one channel, in one quarter; what came by a campaign was seldom returned (status 3).
INSERT INTO sale
SELECT g, 1 + floor(120000 * power(uniform(g, 8), 3))::int, 1 + floor(20000 * power(uniform(g, 9), 3))::int,
  date '2018-01-01' + day, CASE WHEN uniform(g, 10) < 0.3 THEN day / 90 % 5 ELSE floor(5 * uniform(g, 11))::int END,
  CASE WHEN uniform(g, 10) < 0.3 THEN floor(2 * uniform(g, 12))::int ELSE floor(4 * uniform(g, 13))::int END,
  CASE WHEN uniform(g, 10) < 0.3 THEN day / 90 END, 1 + floor(1000 * power(uniform(g, 14), 4))::int
FROM (SELECT g, (g::bigint * 1460 / 1000000)::int AS day FROM generate_series(1, 1000000) g) s;

INSERT INTO shipment
SELECT g, g + g / 3, carrier, service, depot, 200 + depot / 4, 500 + service,
  date '2018-01-02' + ((g + g / 3)::bigint * 1460 / 1000000)::int + floor(9 * power(uniform(g, 18), 2))::int,
  1 + floor(30 * power(uniform(g, 19), 3))::int
FROM (SELECT g, carrier, carrier * 4 + floor(4 * uniform(g, 16))::int AS service,
    carrier * 12 + floor(12 * uniform(g, 17))::int AS depot
  FROM (SELECT g, floor(8 * power(uniform(g, 15), 2))::int AS carrier FROM generate_series(1, 750000) g) c) s;

-- The products sold most are the ones reviewed most.
INSERT INTO review
SELECT g, 1 + floor(20000 * power(uniform(g, 20), 3))::int, customer_id, 1 + floor(5 * sqrt(uniform(g, 22)))::int,
  c.country, 300 + c.region, c.currency, date '2018-01-01' + floor(1460 * uniform(g, 23))::int
FROM (SELECT g, 1 + floor(120000 * power(uniform(g, 21), 3))::int AS customer_id FROM generate_series(1, 300000) g) s
  JOIN customer c ON c.id = customer_id ORDER BY g;

INSERT INTO visit
SELECT 1 + floor(120000 * power(uniform(g, 24), 2))::int, 1 + floor(20000 * power(uniform(g, 25), 3))::int, device,
  device * 2 + floor(2 * uniform(g, 27))::int, device * 3 + floor(3 * uniform(g, 28))::int,
  50 + device, 800 + device * 4 + floor(4 * uniform(g, 29))::int, timestamp '2021-01-01' + g * interval '1 minute'
FROM (SELECT g, floor(6 * power(uniform(g, 26), 2))::int AS device FROM generate_series(1, 500000) g) s;

INSERT INTO price_list
SELECT p.id, c, date '2018-01-01' + 180 * k, p.price + c * k
FROM product p, generate_series(0, 4) c, generate_series(0, 1) k;

CREATE INDEX ON sale (customer_id);
CREATE INDEX ON sale (product_id);
CREATE INDEX ON sale (sold_on);
CREATE INDEX ON shipment (sale_id);
CREATE INDEX ON review (product_id);
CREATE INDEX ON review (customer_id);
CREATE INDEX ON product (line);

-- The planner takes either for 1,000 rows.
CREATE FUNCTION customers_of(wanted int) RETURNS TABLE (customer_id int, city int, segment int) LANGUAGE plpgsql STABLE AS
$$ BEGIN RETURN QUERY SELECT c.id, c.city, c.segment FROM customer c WHERE c.country = wanted; END $$;
CREATE FUNCTION best_sellers(how_many int) RETURNS TABLE (product_id int, sold bigint) LANGUAGE plpgsql STABLE AS
$$ BEGIN
  RETURN QUERY SELECT s.product_id, count(*) FROM sale s GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT how_many;
END $$;

VACUUM (FREEZE, ANALYZE);
