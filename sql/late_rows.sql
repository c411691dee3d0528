-- A statement planned cheap is tracked when it turns out slow: what was counted from then on is learned, too, where the
-- plan was far off, so that the second run does not repeat the first one's mistake.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.mode = off;
SELECT query_shaper.reset();
SET max_parallel_workers_per_gather = 0;
-- No row is expected and 400 come, of which each meets 2,500.
CREATE TABLE depot (id int, town int, street int) WITH (autovacuum_enabled = off);
CREATE TABLE parcel (id int, depot int) WITH (autovacuum_enabled = off);
INSERT INTO depot SELECT g, g, g FROM generate_series(1000, 3000) g;
INSERT INTO parcel SELECT g, 7 FROM generate_series(1, 2500) g;
ANALYZE depot, parcel;
INSERT INTO depot SELECT 7, 7, 7 FROM generate_series(1, 400) g;
SET query_shaper.min_cost = 1000000000;
SET query_shaper.late_tracking = '1ms';
SET query_shaper.replan = off;
SET query_shaper.mode = shape;
SELECT count(*) FROM depot d JOIN parcel p ON p.depot = d.id WHERE d.town = 7 AND d.street = 7;
SET query_shaper.mode = off;
SELECT query_shaper.flush();
SELECT value > 0 AS late FROM query_shaper.metrics WHERE name = 'late_trackings_total';
SELECT kind, bool_or(actual_rows > 500000) AS most_of_a_million, bool_and(actual_rows <= 1000000) AS no_more
FROM query_shaper.row_estimates WHERE kind = 'join' GROUP BY 1;
DROP TABLE depot, parcel;
