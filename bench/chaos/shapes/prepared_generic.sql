SET plan_cache_mode = force_generic_plan
-- then
PREPARE p(int, text) AS SELECT a.id, c.label FROM a JOIN b ON b.id = a.b_id LEFT JOIN c ON c.id = b.c_id
  WHERE a.grp = $1 AND coalesce(a.t, '') <> $2
-- then
EXECUTE p({n} % 37, 'b3')
-- then
EXECUTE p(2, 'b5')
-- then
EXECUTE p(2, NULL)
-- then
DEALLOCATE p
-- then
RESET plan_cache_mode
