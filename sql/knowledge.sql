-- Carrying what was learned to another server.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS query_shaper;
RESET client_min_messages;
SET query_shaper.min_cost = 0;
SET query_shaper.mode = off;
SELECT query_shaper.reset();
CREATE TABLE carried (id int, kind int);
INSERT INTO carried SELECT g, g % 10 FROM generate_series(1, 1000) g;
ANALYZE carried;
RESET query_shaper.mode;
SELECT count(*) FROM carried WHERE kind = 1;
SELECT count(*) FROM carried WHERE kind = 2;
SELECT sum(id) FROM carried;
SET query_shaper.mode = off;
SELECT query_shaper.train();
CREATE TEMP TABLE parcel AS SELECT query_shaper.export_knowledge() AS knowledge;
SELECT knowledge ->> 'format' AS format, knowledge ->> 'version' AS version,
  jsonb_array_length(knowledge -> 'history') AS history, jsonb_array_length(knowledge -> 'profiles') > 0 AS profiles,
  jsonb_array_length(knowledge -> 'models') AS models
FROM parcel;
-- There and back again: the same knowledge, and the same prediction.
SELECT predicted_ms AS before FROM query_shaper.predict('SELECT count(*) FROM carried WHERE kind = 3') \gset
SELECT query_shaper.reset();
SELECT count(*) FROM query_shaper.history;
SELECT query_shaper.import_knowledge(knowledge) FROM parcel;
SELECT query_shaper.flush();
SELECT knowledge -> 'history' = query_shaper.export_knowledge() -> 'history' AS history,
  knowledge -> 'profiles' = query_shaper.export_knowledge() -> 'profiles' AS profiles,
  knowledge -> 'models' = query_shaper.export_knowledge() -> 'models' AS models FROM parcel;
SELECT abs(predicted_ms / :before - 1) < 0.2 AS same FROM query_shaper.predict('SELECT count(*) FROM carried WHERE kind = 3');
-- Twice is once.
SELECT query_shaper.import_knowledge(knowledge) FROM parcel;
SELECT jsonb_array_length(knowledge -> 'history') = (SELECT count(*) FROM query_shaper.history_data) AS history,
  jsonb_array_length(knowledge -> 'profiles') = (SELECT count(*) FROM query_shaper.profile_data) AS profiles,
  jsonb_array_length(knowledge -> 'models') = (SELECT count(*) FROM query_shaper.model_data) AS models FROM parcel;
-- Of two runs of the same statement the later is kept.
SELECT query_shaper.import_knowledge(jsonb_set(jsonb_set(knowledge, '{history,0,calls}', '100'), '{history,0,last_seen}',
  to_jsonb((knowledge #>> '{history,0,last_seen}')::numeric - 60))) FROM parcel;
SELECT max(calls) FROM query_shaper.history;
SELECT query_shaper.import_knowledge(jsonb_set(jsonb_set(knowledge, '{history,0,calls}', '100'), '{history,0,last_seen}',
  to_jsonb((knowledge #>> '{history,0,last_seen}')::numeric + 60))) FROM parcel;
SELECT max(calls) FROM query_shaper.history;

-- What is not knowledge is refused as a whole.
SELECT query_shaper.import_knowledge('[]');
SELECT query_shaper.import_knowledge('{"format": "something else"}');
SELECT query_shaper.import_knowledge('{"format": "query_shaper knowledge", "version": 99}');
SELECT query_shaper.import_knowledge('{"format": "query_shaper knowledge", "version": 1}');
SELECT query_shaper.import_knowledge(knowledge - 'models') FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{history,0}', '7')) FROM parcel;
SELECT query_shaper.import_knowledge(knowledge #- '{history,0,calls}') FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{history,0,calls}', '"many"')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{history,0,calls}', '-1')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{history,0,calls}', '1.5')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{history,0,mean_ms}', '1e400')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{history,0,query_id}', '9223372036854775808')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{history,0,last_seen}', '1e12')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{history,0,query}', 'null')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{history,0,features}', '[]')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{profiles,0,state}', '"?"')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{profiles,0,state}', '"AAAA"')) FROM parcel;
SELECT query_shaper.import_knowledge(jsonb_set(knowledge, '{profiles,0,state}',
  knowledge #> '{profiles,0,state}' || '[]')) FROM parcel;
SELECT query_shaper.import_knowledge(NULL);
SELECT jsonb_array_length(knowledge -> 'history') = (SELECT count(*) FROM query_shaper.history_data) AS unharmed FROM parcel;

-- A role that does not exist here leaves its statements to who imports them.
SELECT query_shaper.import_knowledge(jsonb_set(jsonb_set(knowledge, '{history,0,user}', '"no such role"'),
  '{history,0,query_id}', '42')) FROM parcel;
SELECT usename = current_user AS mine FROM query_shaper.history WHERE query_id = 42;
DROP TABLE carried;
