-- Predictions against outcomes, once both passes of the workload are stored.
CREATE TEMP VIEW outcome AS
SELECT w.pass, t.template, p.at, p.query_id, p.origin, p.predicted_ms, p.low_ms, p.high_ms, p.actual_ms,
       greatest(p.predicted_ms, p.actual_ms) / least(p.predicted_ms, p.actual_ms) AS q_error
FROM query_shaper.predictions p
JOIN demo_template t USING (query_id)
JOIN demo_pass w ON p.at BETWEEN w.started AND w.ended
WHERE p.predicted_ms > 0 AND p.actual_ms > 0;
\pset border 0
\pset footer off
\echo
\echo 'Second pass, one line per statement (its constants had not been seen before):'
\echo
SELECT template, origin, (predicted_ms / 1000)::numeric(8, 2) AS "predicted s",
       format('%s .. %s', (low_ms / 1000)::numeric(8, 2), (high_ms / 1000)::numeric(8, 2)) AS "90 % interval",
       (actual_ms / 1000)::numeric(8, 2) AS "actual s", q_error::numeric(8, 2) AS "q-error"
FROM outcome WHERE pass = 2 ORDER BY template, at;
\echo 'Both passes (the first starts knowing nothing but the plan cost):'
\echo
SELECT pass, count(*) AS statements,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY q_error)::numeric(8, 2) AS "q-error median",
       percentile_cont(0.9) WITHIN GROUP (ORDER BY q_error)::numeric(8, 2) AS "90th percentile",
       format('%s of %s', count(*) FILTER (WHERE actual_ms BETWEEN low_ms AND high_ms), count(*)) AS "within interval"
FROM outcome GROUP BY pass ORDER BY pass;
\echo 'The models behind the predictions (query_shaper.models):'
\echo
SELECT name, version, samples, q_error_p50::numeric(8, 2) AS q_error_p50, q_error_p90::numeric(8, 2) AS q_error_p90,
       weight::numeric(8, 3) AS weight
FROM query_shaper.models ORDER BY weight DESC NULLS LAST, name;
\echo 'What took the time (query_shaper.history):'
\echo
SELECT template, calls, mean_ms::numeric(10, 1) AS mean_ms, stddev_ms::numeric(10, 1) AS stddev_ms,
       min_ms::numeric(10, 1) AS min_ms, max_ms::numeric(10, 1) AS max_ms, peak_memory_kb, temp_kb
FROM query_shaper.history JOIN demo_template USING (query_id) ORDER BY calls * mean_ms DESC LIMIT 8;
SELECT query_id AS report_query_id
FROM (SELECT DISTINCT ON (query_id) query_id, actual_ms FROM outcome ORDER BY query_id, at DESC) last_run
ORDER BY actual_ms DESC LIMIT 1 \gset
\echo 'Report of the query whose last run took longest (query_shaper.report):'
\echo
\pset format unaligned
\pset tuples_only on
SELECT query_shaper.report(:report_query_id);
