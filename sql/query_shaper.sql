-- Chapter: store. Ordinary tables of the extension, written by the learner of the database and dumped as configuration data.
-- Uniqueness of the keys is kept by the learner, the only writer, not by a constraint: a restore may load rows beside it.

-- One row per role, statement and plan. mean_ms, sum_square_ms (of deviations), min_ms, max_ms and weight (decayed number) are
-- over runs that ended without an error: calls - failed_calls of them. rows, temp_kb, blocks_read and blocks_hit are totals of all
-- runs, peak_memory_kb is the highest of them, features and last_run tell of the last one.
CREATE TABLE history_data (
  user_id oid NOT NULL,
  query_id bigint NOT NULL,
  fingerprint bigint NOT NULL,
  query text NOT NULL,
  calls bigint NOT NULL,
  failed_calls bigint NOT NULL,
  mean_ms float8 NOT NULL,
  sum_square_ms float8 NOT NULL,
  min_ms float8 NOT NULL,
  max_ms float8 NOT NULL,
  rows bigint NOT NULL,
  peak_memory_kb bigint NOT NULL,
  temp_kb bigint NOT NULL,
  blocks_read bigint NOT NULL,
  blocks_hit bigint NOT NULL,
  weight float8 NOT NULL,
  first_seen timestamptz NOT NULL,
  last_seen timestamptz NOT NULL,
  features jsonb NOT NULL,
  last_run jsonb NOT NULL
);
CREATE INDEX ON history_data (query_id, fingerprint, user_id);
CREATE INDEX ON history_data (last_seen);

-- query_id 0: the plan shape under any statement. state: serialised, versioned, checksummed profile.
CREATE TABLE profile_data (
  query_id bigint NOT NULL,
  fingerprint bigint NOT NULL,
  last_seen timestamptz NOT NULL,
  state bytea NOT NULL
);
CREATE INDEX ON profile_data (query_id, fingerprint);

-- One row 'models': all models of the database, serialised; readable figures per model beside it.
CREATE TABLE model_data (
  name text NOT NULL,
  version bigint NOT NULL,
  trained_at timestamptz,
  samples float8 NOT NULL,
  q_error_p50 float8,
  q_error_p90 float8,
  weight float8,
  state bytea
);

CREATE TABLE prediction_data (
  at timestamptz NOT NULL,
  user_id oid NOT NULL,
  query_id bigint NOT NULL,
  fingerprint bigint NOT NULL,
  origin text NOT NULL,
  predicted_ms float8 NOT NULL,
  low_ms float8 NOT NULL,
  high_ms float8 NOT NULL,
  actual_ms float8 NOT NULL,
  predicted_memory_kb bigint NOT NULL,
  actual_memory_kb bigint NOT NULL,
  details jsonb NOT NULL
);
CREATE INDEX ON prediction_data (at);
CREATE INDEX ON prediction_data (query_id, at);

CREATE TABLE event_data (
  at timestamptz NOT NULL,
  pid int NOT NULL,
  user_id oid NOT NULL,
  query_id bigint,
  action text NOT NULL,
  verdict text NOT NULL,
  node_id int,
  reason text NOT NULL,
  details jsonb NOT NULL
);
CREATE INDEX ON event_data (at);

-- One row per learned row count. The key is made of names, not OIDs: it means the same after a restore and on another server.
-- kind: what the rows are of. schemas, names: the first relations that it counts rows of, null where one is no table;
-- relation_count: how many there are. clauses: $n for constants. planner_rows: the planner's own estimate in the last run,
-- planned_rows: the one it was planned with. state: serialised, versioned, checksummed profile.
CREATE TABLE row_estimate_data (
  key bigint NOT NULL,
  kind text NOT NULL,
  schemas text[] NOT NULL,
  names text[] NOT NULL,
  relation_count int NOT NULL,
  clauses text NOT NULL,
  planner_rows float8 NOT NULL,
  planned_rows float8 NOT NULL,
  actual_rows float8 NOT NULL,
  seen bigint NOT NULL,
  last_seen timestamptz NOT NULL,
  state bytea NOT NULL
);
CREATE INDEX ON row_estimate_data (key);

-- Plans that a statement was run with and what they took, serialised.
CREATE TABLE known_plan_data (
  query_id bigint NOT NULL,
  last_seen timestamptz NOT NULL,
  state bytea NOT NULL
);
CREATE INDEX ON known_plan_data (query_id);

-- One row per relation and index (null: scans without one). key: made of names. pattern, extent_blocks and transitions tell of
-- state: serialised, versioned, checksummed model. seen: blocks that scans came to; issued, used, wasted: requests for blocks
-- ahead; all four decayed.
CREATE TABLE access_pattern_data (
  key bigint NOT NULL,
  schema text NOT NULL,
  name text NOT NULL,
  index_name text,
  pattern text NOT NULL,
  extent_blocks int NOT NULL,
  seen float8 NOT NULL,
  issued float8 NOT NULL,
  used float8 NOT NULL,
  wasted float8 NOT NULL,
  transitions int NOT NULL,
  last_seen timestamptz NOT NULL,
  state bytea NOT NULL
);
CREATE INDEX ON access_pattern_data (key);

-- What plan nodes needed of memory. name: of statement, rows held and kind of node, with OIDs in it: of this database
-- alone, and in no dump.
CREATE TABLE memory_need_data (
  name bigint NOT NULL,
  last_seen timestamptz NOT NULL,
  state bytea NOT NULL
);
CREATE INDEX ON memory_need_data (name);

-- What owners say of their relations. regclass: follows a rename, and is a name in a dump.
CREATE TABLE partition_hint_data (
  relation regclass NOT NULL,
  access_pattern text NOT NULL,
  suggested_blocks int,
  data_type text,
  metadata jsonb NOT NULL
);
CREATE INDEX ON partition_hint_data (relation);

-- A publication FOR ALL TABLES would otherwise refuse the learner's updates: the keys are not constraints.
ALTER TABLE history_data REPLICA IDENTITY FULL;
ALTER TABLE profile_data REPLICA IDENTITY FULL;
ALTER TABLE model_data REPLICA IDENTITY FULL;
ALTER TABLE prediction_data REPLICA IDENTITY FULL;
ALTER TABLE event_data REPLICA IDENTITY FULL;
ALTER TABLE row_estimate_data REPLICA IDENTITY FULL;
ALTER TABLE known_plan_data REPLICA IDENTITY FULL;
ALTER TABLE access_pattern_data REPLICA IDENTITY FULL;
ALTER TABLE memory_need_data REPLICA IDENTITY FULL;
ALTER TABLE partition_hint_data REPLICA IDENTITY FULL;

SELECT pg_catalog.pg_extension_config_dump('history_data', '');
SELECT pg_catalog.pg_extension_config_dump('profile_data', '');
SELECT pg_catalog.pg_extension_config_dump('model_data', '');
SELECT pg_catalog.pg_extension_config_dump('prediction_data', '');
SELECT pg_catalog.pg_extension_config_dump('event_data', '');
SELECT pg_catalog.pg_extension_config_dump('row_estimate_data', '');
SELECT pg_catalog.pg_extension_config_dump('known_plan_data', '');
SELECT pg_catalog.pg_extension_config_dump('access_pattern_data', '');
SELECT pg_catalog.pg_extension_config_dump('partition_hint_data', '');

-- What follows reads those tables and shared memory. Other roles' rows are hidden as pg_stat_activity hides them: a view
-- is a security barrier, so that no function in a user's WHERE sees what the view leaves out.
GRANT USAGE ON SCHEMA query_shaper TO PUBLIC;
REVOKE ALL ON history_data, profile_data, model_data, prediction_data, event_data, row_estimate_data, known_plan_data,
  access_pattern_data, memory_need_data, partition_hint_data
FROM PUBLIC;

-- Chapter: activity. Running statements, as their backends publish them in shared memory.

CREATE FUNCTION _activity_rows(
  OUT pid int, OUT nest_level int, OUT datname text, OUT usename text, OUT query_id bigint, OUT fingerprint bigint,
  OUT query text, OUT state text, OUT started timestamptz, OUT elapsed interval, OUT progress float8, OUT eta interval,
  OUT eta_low interval, OUT eta_high interval, OUT predicted_ms float8, OUT predicted_low_ms float8,
  OUT predicted_high_ms float8, OUT discrepancy float8, OUT memory_kb bigint, OUT memory_granted_kb bigint,
  OUT temp_kb bigint, OUT workers int, OUT bar text, OUT stalled boolean, OUT late boolean,
  OUT time_share float8)
RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'query_shaper_activity';

CREATE VIEW activity WITH (security_barrier) AS SELECT * FROM query_shaper._activity_rows();

CREATE FUNCTION _activity_node_rows(
  OUT pid int, OUT nest_level int, OUT node_id int, OUT parent_id int, OUT depth int, OUT operator text,
  OUT relation text, OUT estimated_rows float8, OUT refined_rows float8, OUT actual_rows float8, OUT loops float8,
  OUT progress float8, OUT memory_kb bigint, OUT memory_limit_kb bigint, OUT batches int, OUT temp_kb bigint)
RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 100
AS 'MODULE_PATHNAME', 'query_shaper_activity_nodes';

CREATE VIEW activity_nodes WITH (security_barrier) AS SELECT * FROM query_shaper._activity_node_rows();

CREATE FUNCTION pause(pid int) RETURNS boolean LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'query_shaper_pause';
COMMENT ON FUNCTION pause(int) IS 'holds the statement that runs in a process in place; rights as for pg_cancel_backend';

CREATE FUNCTION resume(pid int) RETURNS boolean LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'query_shaper_resume';
COMMENT ON FUNCTION resume(int) IS 'lets a held statement go on';

-- Chapter: predict. Statements that are planned and never run. The text is resolved in the caller's search_path.

CREATE FUNCTION predict(
  query text, OUT predicted_ms float8, OUT low_ms float8, OUT high_ms float8, OUT memory_kb bigint, OUT rows bigint,
  OUT temp_kb bigint, OUT blocks bigint, OUT origin text, OUT fingerprint bigint, OUT query_id bigint,
  OUT memory_low_kb bigint, OUT memory_high_kb bigint, OUT rows_low bigint, OUT rows_high bigint,
  OUT temp_low_kb bigint, OUT temp_high_kb bigint, OUT blocks_low bigint, OUT blocks_high bigint, OUT cpu_ms float8,
  OUT cpu_low_ms float8, OUT cpu_high_ms float8, OUT blocks_read bigint, OUT blocks_read_low bigint,
  OUT blocks_read_high bigint, OUT members jsonb)
RETURNS record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'query_shaper_predict';
COMMENT ON FUNCTION predict(text) IS 'predicts what a statement will take, with 90 % intervals, without running it';

CREATE FUNCTION fingerprint(query text, OUT query_id bigint, OUT fingerprint bigint, OUT features jsonb)
RETURNS record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'query_shaper_fingerprint';
COMMENT ON FUNCTION fingerprint(text) IS 'names a statement and its plan shape and lists the features of the plan';

CREATE VIEW predictions WITH (security_barrier) AS
  SELECT p.at, p.query_id, p.fingerprint, p.origin, p.predicted_ms, p.low_ms, p.high_ms, p.actual_ms,
    p.predicted_memory_kb, p.actual_memory_kb, pg_catalog.pg_get_userbyid(p.user_id) AS usename, p.details,
    (p.details #>> '{targets,temp_kb,predicted}')::float8 AS predicted_temp_kb,
    (p.details #>> '{targets,temp_kb,actual}')::float8 AS actual_temp_kb,
    (p.details #>> '{targets,cpu_ms,predicted}')::float8 AS predicted_cpu_ms,
    (p.details #>> '{targets,cpu_ms,actual}')::float8 AS actual_cpu_ms,
    (p.details #>> '{targets,blocks,predicted}')::float8 AS predicted_blocks,
    (p.details #>> '{targets,blocks,actual}')::float8 AS actual_blocks,
    (p.details #>> '{targets,blocks_read,predicted}')::float8 AS predicted_blocks_read,
    (p.details #>> '{targets,blocks_read,actual}')::float8 AS actual_blocks_read
  FROM query_shaper.prediction_data p
  WHERE pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
    OR pg_catalog.pg_has_role(current_user, p.user_id, 'USAGE');

-- Figures are those of shared memory now, not of the last stored models.
CREATE FUNCTION _model_rows(
  OUT name text, OUT version bigint, OUT trained_at timestamptz, OUT samples float8, OUT q_error_p50 float8,
  OUT q_error_p90 float8, OUT weight float8, OUT weight_unseen float8)
RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 4
AS 'MODULE_PATHNAME', 'query_shaper_models';

CREATE VIEW models AS SELECT * FROM query_shaper._model_rows();

CREATE FUNCTION _model_target_rows(
  OUT name text, OUT target text, OUT samples float8, OUT q_error_p50 float8, OUT q_error_p90 float8,
  OUT weight float8, OUT weight_unseen float8)
RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 35
AS 'MODULE_PATHNAME', 'query_shaper_model_targets';

CREATE VIEW model_targets AS SELECT * FROM query_shaper._model_target_rows();

CREATE FUNCTION train() RETURNS void LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'query_shaper_train';
COMMENT ON FUNCTION train() IS 'solves the models of this database anew from all that has finished';

-- Chapter: cardinality. A row count tells of the data: it is shown to roles that may read all of its relations, all of their
-- rows included. What is of no table, or of more than are named, only readers of statistics see.

CREATE VIEW row_estimates WITH (security_barrier) AS
  SELECT d.key, coalesce(r.relations, '') AS relations, d.clauses, d.planner_rows, d.actual_rows, d.seen, d.last_seen,
    d.kind, d.planned_rows
  FROM query_shaper.row_estimate_data d
  CROSS JOIN LATERAL (
    SELECT pg_catalog.string_agg(pg_catalog.quote_ident(n.schema) || '.' || pg_catalog.quote_ident(n.name), ', '
        ORDER BY n.place) AS relations,
      coalesce(pg_catalog.bool_and(c.oid IS NOT NULL), true) AS present,
      coalesce(pg_catalog.bool_and(c.oid IS NOT NULL AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
        AND NOT pg_catalog.row_security_active(c.oid)), false) AS readable
    FROM ROWS FROM (pg_catalog.unnest(d.schemas), pg_catalog.unnest(d.names)) WITH ORDINALITY AS n(schema, name, place)
    LEFT JOIN pg_catalog.pg_namespace s ON s.nspname = n.schema
    LEFT JOIN pg_catalog.pg_class c ON c.relname = n.name AND c.relnamespace = s.oid
    WHERE n.name IS NOT NULL) r
  WHERE r.present AND (pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
    OR (r.readable AND d.relation_count <= pg_catalog.cardinality(d.names)));

CREATE FUNCTION block_runs(internal) RETURNS tsm_handler LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'query_shaper_block_runs';
COMMENT ON FUNCTION block_runs(internal) IS 'TABLESAMPLE method: a fraction of a table in many short runs of blocks';

-- Run with the rights of the caller. sampled: the probability that one row of the whole was seen; 1: all were.
CREATE FUNCTION shadow(
  query text, fraction float8 = 0.01, OUT node_id int, OUT relations text, OUT planner_rows float8,
  OUT shadow_rows float8, OUT low_rows float8, OUT high_rows float8, OUT sampled float8)
RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'query_shaper_shadow';
COMMENT ON FUNCTION shadow(text, float8) IS 'counts the rows of a query''s scans and joins on a sample, with 90 % intervals';

-- Chapter: prefetch. Where blocks are read tells of the data: shown to roles that may read all of the relation.

CREATE VIEW access_patterns WITH (security_barrier) AS
  SELECT pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS relation,
    p.index_name, coalesce(p.pattern, h.access_pattern) AS pattern,
    coalesce(p.extent_blocks, h.suggested_blocks) AS extent_blocks, p.used / nullif(p.seen, 0) AS hit_ratio,
    p.wasted / nullif(p.issued, 0) AS wasted_ratio, coalesce(p.transitions, 0) AS transitions,
    h.relation IS NOT NULL AS hinted, coalesce(p.seen, 0) AS blocks_seen, p.last_seen
  FROM (SELECT k.oid AS relation_id, a.* FROM query_shaper.access_pattern_data a
      JOIN pg_catalog.pg_namespace n ON n.nspname = a.schema
      JOIN pg_catalog.pg_class k ON k.relname = a.name AND k.relnamespace = n.oid) p
  FULL JOIN query_shaper.partition_hint_data h ON h.relation = p.relation_id
  JOIN pg_catalog.pg_class c ON c.oid = coalesce(h.relation, p.relation_id)
  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
  WHERE pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
    OR (pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT pg_catalog.row_security_active(c.oid));

CREATE FUNCTION _staging_rows(
  OUT relation text, OUT first_block bigint, OUT blocks int, OUT state text, OUT hits bigint, OUT likelihood float8,
  OUT pid int, OUT predicted_at timestamptz)
RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 50
AS 'MODULE_PATHNAME', 'query_shaper_staging';

CREATE VIEW staging WITH (security_barrier) AS SELECT * FROM query_shaper._staging_rows();

CREATE VIEW partition_hints WITH (security_barrier) AS
  SELECT h.relation, h.access_pattern, h.suggested_blocks, h.data_type, h.metadata
  FROM query_shaper.partition_hint_data h
  JOIN pg_catalog.pg_class c ON c.oid = h.relation
  WHERE pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
    OR pg_catalog.has_table_privilege(c.oid, 'SELECT');

CREATE FUNCTION set_partition_hint(
  relation regclass, access_pattern text, suggested_blocks int = NULL, data_type text = NULL, metadata jsonb = '{}')
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'query_shaper_set_partition_hint';
COMMENT ON FUNCTION set_partition_hint(regclass, text, int, text, jsonb)
IS 'says how a relation is read and in extents of how many blocks; for its owner';

CREATE FUNCTION drop_partition_hint(relation regclass) RETURNS boolean LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'query_shaper_drop_partition_hint';
COMMENT ON FUNCTION drop_partition_hint(regclass) IS 'takes a partition hint back; for the owner of the relation';

-- However the table is changed, also by a restore: what backends remember of it is out of date.
CREATE FUNCTION _partition_hints_changed() RETURNS trigger LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'query_shaper_partition_hints_changed';
REVOKE EXECUTE ON FUNCTION _partition_hints_changed() FROM PUBLIC;
CREATE TRIGGER partition_hints_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON partition_hint_data
FOR EACH STATEMENT EXECUTE FUNCTION _partition_hints_changed();

-- Chapter: history. What finished statements were, and what was done to running ones.

CREATE VIEW history WITH (security_barrier) AS
  SELECT h.query_id, h.fingerprint, h.query, h.calls, h.mean_ms,
    CASE WHEN h.calls > h.failed_calls
      THEN pg_catalog.sqrt(greatest(h.sum_square_ms, 0) / (h.calls - h.failed_calls)) ELSE 0 END AS stddev_ms,
    h.min_ms, h.max_ms, h.rows, h.peak_memory_kb, h.temp_kb, h.blocks_read, h.blocks_hit, h.weight, h.last_seen,
    h.features, h.failed_calls, h.first_seen, pg_catalog.pg_get_userbyid(h.user_id) AS usename
  FROM query_shaper.history_data h
  WHERE pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
    OR pg_catalog.pg_has_role(current_user, h.user_id, 'USAGE');

CREATE VIEW events WITH (security_barrier) AS
  SELECT e.at, e.pid, pg_catalog.pg_get_userbyid(e.user_id) AS usename, e.query_id, e.action, e.verdict, e.node_id,
    e.reason, e.details
  FROM query_shaper.event_data e
  WHERE pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
    OR pg_catalog.pg_has_role(current_user, e.user_id, 'USAGE');

CREATE FUNCTION flush() RETURNS void LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'query_shaper_flush';
COMMENT ON FUNCTION flush() IS 'returns when every finished statement is in the tables';

CREATE FUNCTION forget(query_id bigint) RETURNS void LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'query_shaper_forget';
COMMENT ON FUNCTION forget(bigint) IS 'removes what was learned of a query: the caller''s own runs, all of them for the owner';

CREATE FUNCTION reset() RETURNS void LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'query_shaper_reset';
COMMENT ON FUNCTION reset() IS 'removes all that was learned in this database';

CREATE FUNCTION export_knowledge() RETURNS jsonb LANGUAGE c STABLE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'query_shaper_export_knowledge';
COMMENT ON FUNCTION export_knowledge() IS 'all that was learned in this database as one document';

CREATE FUNCTION import_knowledge(knowledge jsonb) RETURNS void LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'query_shaper_import_knowledge';
COMMENT ON FUNCTION import_knowledge(jsonb) IS 'takes over what export_knowledge() wrote, on this server or another';

-- Chapter: report.

CREATE FUNCTION report(query_id bigint, format text = 'text') RETURNS text LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'query_shaper_report_query';
COMMENT ON FUNCTION report(bigint, text) IS 'a report of a query''s last run: text, json or html';

CREATE FUNCTION report(pid int, format text = 'text') RETURNS text LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'query_shaper_report_process';
COMMENT ON FUNCTION report(int, text) IS 'a report of a running statement: text, json or html';

-- Chapter: decide.

CREATE FUNCTION lift_runaway(query_id bigint) RETURNS boolean LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'query_shaper_lift_runaway';
COMMENT ON FUNCTION lift_runaway(bigint) IS 'lets statements like a stopped runaway run again';
REVOKE EXECUTE ON FUNCTION lift_runaway(bigint) FROM PUBLIC;

CREATE FUNCTION _known_plans(state bytea, OUT fingerprint bigint, OUT origin text, OUT runs float8, OUT time_ms float8,
  OUT given_up float8, OUT last_seen timestamptz, OUT verdict text, OUT kept boolean)
RETURNS SETOF record LANGUAGE c IMMUTABLE STRICT PARALLEL RESTRICTED ROWS 3
AS 'MODULE_PATHNAME', 'query_shaper_known_plans';

-- Known plans are of all who run a statement: they are shown to those who may see some run of it.
CREATE VIEW known_plans WITH (security_barrier) AS
  SELECT d.query_id, p.fingerprint, p.origin, p.runs, p.time_ms, p.given_up, p.last_seen, p.verdict, p.kept
  FROM query_shaper.known_plan_data d CROSS JOIN LATERAL query_shaper._known_plans(d.state) p
  WHERE pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
    OR EXISTS (SELECT FROM query_shaper.history_data h
      WHERE h.query_id = d.query_id AND pg_catalog.pg_has_role(current_user, h.user_id, 'USAGE'));

-- Chapter: pool.

CREATE FUNCTION _pool_rows(
  OUT resource text, OUT capacity bigint, OUT reserved bigint, OUT used bigint, OUT waiting int, OUT free bigint)
RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 3
AS 'MODULE_PATHNAME', 'query_shaper_pool';

CREATE VIEW pool AS SELECT * FROM query_shaper._pool_rows();

CREATE FUNCTION _reservation_rows(
  OUT reservation uuid, OUT pid int, OUT session text, OUT source text, OUT memory_kb bigint, OUT workers int,
  OUT confidence float8, OUT expires timestamptz, OUT query_id bigint, OUT usename text, OUT wanted_kb bigint,
  OUT wanted_workers int, OUT io_depth int, OUT slice text, OUT since timestamptz)
RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 20
AS 'MODULE_PATHNAME', 'query_shaper_reservations';

CREATE VIEW reservations WITH (security_barrier) AS SELECT * FROM query_shaper._reservation_rows();

-- Chapter: metrics.

CREATE FUNCTION _metric_rows(OUT name text, OUT type text, OUT help text, OUT labels jsonb, OUT value float8)
RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 40
AS 'MODULE_PATHNAME', 'query_shaper_metrics';

CREATE VIEW metrics AS SELECT * FROM query_shaper._metric_rows();

GRANT SELECT ON activity, activity_nodes, history, predictions, events, models, model_targets, metrics, row_estimates,
  known_plans, access_patterns, partition_hints, staging, pool, reservations TO PUBLIC;
REVOKE EXECUTE ON FUNCTION train(), reset(), import_knowledge(jsonb), export_knowledge() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION export_knowledge() TO pg_read_all_stats;
