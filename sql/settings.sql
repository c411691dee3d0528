-- Settings: names, ranges and who may change them.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.min_cost = 0;
SELECT name, vartype, context, unit FROM pg_settings WHERE name LIKE 'query\_shaper.%' AND name <> 'query_shaper.fault'
ORDER BY name COLLATE "C";
SELECT count(*) AS wrong FROM pg_settings WHERE name LIKE 'query\_shaper.%' AND short_desc !~ '^[A-Z][a-z]+s .*\.$';
SET query_shaper.mode = 'nonsense';
SET query_shaper.min_cost = -1;
SET query_shaper.tick_interval = 0;
SET query_shaper.tracked_nest_levels = 1000;
SET query_shaper.max_databases = 3;
SET query_shaper.mode = advise;
SHOW query_shaper.mode;
