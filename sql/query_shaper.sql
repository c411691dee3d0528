-- Chapter: store. Ordinary tables of the extension, written by the learner of the database and dumped as configuration data.
-- Uniqueness of the keys is kept by the learner, the only writer, not by a constraint: a restore may load rows beside it.

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

SELECT pg_catalog.pg_extension_config_dump('history_data', '');
SELECT pg_catalog.pg_extension_config_dump('profile_data', '');
SELECT pg_catalog.pg_extension_config_dump('model_data', '');
SELECT pg_catalog.pg_extension_config_dump('prediction_data', '');
SELECT pg_catalog.pg_extension_config_dump('event_data', '');
