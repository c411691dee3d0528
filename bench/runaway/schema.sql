-- Tables whose statistics are about to be wrong: grow() adds rows that no histogram and no list of common values knows.
CREATE TABLE orders (id int, day date, status text, customer int, bucket int, amount int, note text);
CREATE TABLE rates (lo int, hi int, day date, rate int);
CREATE TABLE steps (customer int, seq int, kind text);
ALTER TABLE orders SET (autovacuum_enabled = off);
ALTER TABLE rates SET (autovacuum_enabled = off);
ALTER TABLE steps SET (autovacuum_enabled = off);

INSERT INTO orders SELECT g, date '2024-01-01' + g % 90, CASE g % 3 WHEN 0 THEN 'paid' WHEN 1 THEN 'sent' ELSE 'closed' END,
  g % 5000, g % 1000, 1 + g * 7919 % 1000, 'note ' || md5(g::text) FROM generate_series(1, 200000) g;
INSERT INTO rates SELECT g * 10, g * 10 + 10, date '2024-01-01' + g % 90, g % 17 FROM generate_series(0, 19999) g;
INSERT INTO steps SELECT g % 5000, g / 5000, 'kind ' || g % 4 FROM generate_series(0, 99999) g;
CREATE INDEX ON orders (day);
CREATE INDEX ON orders (status);
CREATE INDEX ON orders (customer);
CREATE INDEX ON steps (customer);
CREATE FUNCTION slow_note(x text) RETURNS int LANGUAGE plpgsql STABLE AS
$$ DECLARE n int := 0; BEGIN FOR i IN 1..150 LOOP n := n + length(x || i); END LOOP; RETURN n; END $$;
VACUUM ANALYZE;

CREATE PROCEDURE grow() LANGUAGE sql BEGIN ATOMIC
  INSERT INTO orders SELECT g, date '2024-04-10' + g % 20, CASE WHEN g % 2 = 0 THEN 'queued' ELSE 'held' END,
    5000 + g % 40, 1000 + g % 20, 1 + g * 7919 % 1000, 'note ' || md5(g::text) FROM generate_series(200001, 260000) g;
  INSERT INTO steps SELECT 5000 + g % 40, g / 40, 'new ' || g % 4 FROM generate_series(0, 19999) g;
  INSERT INTO rates SELECT g * 10, g * 10 + 10, date '2024-04-10' + g % 20, g % 17 FROM generate_series(20000, 25999) g;
END;
