-- Metrics: a fixed list of counters and gauges.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.min_cost = 0;
SELECT name, type, labels FROM query_shaper.metrics ORDER BY name COLLATE "C", labels;
SELECT count(*) AS wrong FROM query_shaper.metrics
WHERE value < 0 OR help !~ '^[A-Z].*\.$' OR (type = 'counter') <> (name LIKE '%\_total');
SELECT value AS before FROM query_shaper.metrics WHERE name = 'tracked_statements_total' \gset
SELECT 1 AS one;
SELECT value > :before AS counted FROM query_shaper.metrics WHERE name = 'tracked_statements_total';
