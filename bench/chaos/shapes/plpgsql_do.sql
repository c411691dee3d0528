DO $$ DECLARE k refcursor; r record; n int := 0; BEGIN OPEN k FOR SELECT a.id FROM a JOIN b ON b.id = a.b_id; LOOP FETCH k INTO r; EXIT WHEN NOT FOUND; n := n + 1; END LOOP; CLOSE k; PERFORM set_config('chaos.n', n::text, false); END $$
-- then
SELECT current_setting('chaos.n')
