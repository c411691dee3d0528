-- Small tables of every kind for statements that are planned anew in the middle: NULLs on both sides of joins, skew, long
-- texts kept out of line, partitions, and a table whose statistics are of a time when it was small.
CREATE TABLE a (id int PRIMARY KEY, b_id int, grp int, n numeric(12, 2), t text, d date);
CREATE TABLE b (id int PRIMARY KEY, c_id int, kind int, t text);
CREATE TABLE c (id int PRIMARY KEY, label text, parent int);
CREATE TABLE wide (id int PRIMARY KEY, a_id int, body text, tags int[], doc jsonb);
CREATE TABLE stale (id int, a_id int, v int);
CREATE TABLE part (id int, day date, a_id int, v int) PARTITION BY RANGE (day);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2024-04-01');
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2024-04-01') TO ('2024-07-01');
CREATE TABLE part_3 PARTITION OF part FOR VALUES FROM ('2024-07-01') TO ('2024-10-01') PARTITION BY HASH (id);
CREATE TABLE part_3a PARTITION OF part_3 FOR VALUES WITH (modulus 2, remainder 0);
CREATE TABLE part_3b PARTITION OF part_3 FOR VALUES WITH (modulus 2, remainder 1);
CREATE TABLE part_rest PARTITION OF part DEFAULT;
CREATE TABLE part2 (id int, day date, w int) PARTITION BY RANGE (day);
CREATE TABLE part2_1 PARTITION OF part2 FOR VALUES FROM ('2024-01-01') TO ('2024-04-01');
CREATE TABLE part2_2 PARTITION OF part2 FOR VALUES FROM ('2024-04-01') TO ('2024-07-01');
CREATE TABLE part2_3 PARTITION OF part2 FOR VALUES FROM ('2024-07-01') TO ('2024-10-01');

INSERT INTO c SELECT g, 'label ' || g, nullif(g / 4, 0) FROM generate_series(1, 200) g;
INSERT INTO b SELECT g, CASE WHEN g % 17 > 0 THEN 1 + g * g % 200 END, g % 9, CASE WHEN g % 5 > 0 THEN 'b' || g % 300 END
  FROM generate_series(1, 2000) g;
INSERT INTO a SELECT g, CASE WHEN g % 13 > 0 THEN 1 + (g::bigint * g) % 2100 END, g % 37, (g * 7919 % 10007) / 100.0,
  CASE WHEN g % 7 > 0 THEN 'b' || g % 400 END, date '2024-01-01' + g % 300 FROM generate_series(1, 8000) g;
INSERT INTO wide SELECT g, 1 + g * 3 % 8200, (SELECT string_agg(md5((g * 100 + k)::text), '') FROM generate_series(1, 90) k),
  ARRAY[g % 5, g % 7, g % 11], jsonb_build_object('k', g % 23, 'list', jsonb_build_array(g % 3, g)) FROM generate_series(1, 600) g;
INSERT INTO part SELECT g, date '2024-01-01' + g % 330, 1 + g % 8100, g % 91 FROM generate_series(1, 6000) g;
INSERT INTO part2 SELECT g, date '2024-01-01' + g % 270, g % 53 FROM generate_series(1, 3000) g;
INSERT INTO stale SELECT g, g, 1 FROM generate_series(1, 20) g;
CREATE INDEX ON a (b_id);
CREATE INDEX ON a (grp, d);
CREATE INDEX ON b (c_id);
CREATE INDEX ON wide (a_id);
CREATE INDEX ON part (a_id);
CREATE INDEX ON stale (a_id);
ANALYZE;
ALTER TABLE stale SET (autovacuum_enabled = off);
INSERT INTO stale SELECT g, 1 + g % 500, g % 3 FROM generate_series(21, 6000) g;

CREATE VIEW joined AS
  SELECT a.id, a.grp, a.n, b.kind, c.label FROM a JOIN b ON b.id = a.b_id LEFT JOIN c ON c.id = b.c_id;
CREATE FUNCTION rows_of(g int) RETURNS SETOF a LANGUAGE plpgsql STABLE AS
$$ BEGIN RETURN QUERY SELECT * FROM a WHERE grp = g; END $$;
CREATE FUNCTION in_sql(g int) RETURNS TABLE (kind int, n bigint) LANGUAGE sql STABLE AS
$$ SELECT b.kind, count(*) FROM a JOIN b ON b.id = a.b_id WHERE a.grp <> g GROUP BY 1 $$;
CREATE FUNCTION count_by_loop(g int) RETURNS bigint LANGUAGE plpgsql STABLE AS
$$ DECLARE total bigint := 0; r record;
BEGIN
  FOR r IN SELECT a.id, b.kind FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = b.kind WHERE a.grp = g LOOP
    total := total + r.id * (r.kind + 1);
  END LOOP;
  RETURN total;
END $$;
CREATE FUNCTION count_by_block(g int) RETURNS text LANGUAGE plpgsql AS
$$ DECLARE total bigint;
BEGIN
  BEGIN
    SELECT sum(1 / (a.id - 4000)) INTO total FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.id = a.id WHERE a.grp <> g;
  EXCEPTION WHEN division_by_zero THEN
    SELECT count(*) INTO total FROM a JOIN stale s ON s.a_id = a.grp WHERE a.grp = g;
  END;
  RETURN 'found ' || total;
END $$;
CREATE FUNCTION nested(g int) RETURNS bigint LANGUAGE plpgsql STABLE AS
$$ BEGIN RETURN (SELECT sum(x.n) + count_by_loop(g) FROM in_sql(g) x); END $$;
CREATE FUNCTION parted(x int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN x % 5;
CREATE ROLE chaos_reader;
CREATE TABLE guarded (a_id int, who name);
INSERT INTO guarded SELECT g, CASE WHEN g % 3 = 0 THEN 'chaos_reader' ELSE 'other' END FROM generate_series(1, 5000) g;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded USING (who = current_user);
GRANT SELECT ON a, b, guarded TO chaos_reader;
ANALYZE guarded;

CREATE FUNCTION keep_account() RETURNS trigger LANGUAGE plpgsql AS
$$ DECLARE r record; BEGIN
  FOR r IN SELECT count(*) AS n, sum(b.kind) AS kinds FROM fresh f JOIN a ON a.grp = f.grp JOIN b ON b.id = a.b_id LOOP
    INSERT INTO account VALUES (r.n, r.kinds);
  END LOOP;
  RETURN NULL;
END $$;
CREATE TABLE account (n bigint, kinds bigint);
CREATE TABLE marked (grp int);
CREATE TRIGGER count_them AFTER INSERT ON marked REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT
  EXECUTE FUNCTION keep_account();
CREATE FUNCTION kinds_of(g int) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN RETURN (SELECT sum(b.kind) FROM public.a JOIN public.b ON b.id = a.b_id WHERE a.grp = g); END $$;
CREATE FUNCTION safe_share(g int) RETURNS numeric LANGUAGE plpgsql STABLE AS
$$ BEGIN
  RETURN (SELECT count(*) / (g % 3) FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = a.grp WHERE a.grp = g);
EXCEPTION WHEN division_by_zero THEN
  RETURN (SELECT -count(*) FROM a JOIN c ON c.id = a.grp WHERE a.grp = g);
END $$;
CREATE FUNCTION open_rows(g int) RETURNS refcursor LANGUAGE plpgsql AS
$$ DECLARE k refcursor := 'opened'; BEGIN
  OPEN k SCROLL FOR SELECT a.id, b.kind FROM a JOIN b ON b.id = a.b_id WHERE a.grp <> g ORDER BY 1;
  MOVE 2 IN k;
  RETURN k;
END $$;
CREATE FUNCTION returned(g int) RETURNS TABLE (id int, kind int) LANGUAGE plpgsql AS
$$ BEGIN
  RETURN QUERY EXECUTE 'SELECT a.id, b.kind FROM a JOIN b ON b.id = a.b_id JOIN stale s ON s.a_id = a.grp WHERE a.grp = $1 ORDER BY s.id'
    USING g;
  RETURN QUERY SELECT -c.id, count(*)::int FROM c JOIN b ON b.c_id = c.id GROUP BY c.id;
END $$;
