-- Kinds of statements that the other sets do not have, over the lending library of bench/made: writes, partitions,
-- foreign scans, functions.
\ir ../made/schema.sql

CREATE TABLE archive (LIKE loan);
CREATE INDEX ON archive (book_id);
CREATE INDEX ON archive (reader_id);
CREATE TABLE checked (id int, book_id int REFERENCES book, reader_id int REFERENCES reader);

CREATE TABLE loan_part (LIKE loan) PARTITION BY RANGE (taken);
SELECT format('CREATE TABLE loan_part_%s PARTITION OF loan_part FOR VALUES FROM (%L) TO (%L)', n,
              timestamp '2015-01-01' + n * interval '80 days', timestamp '2015-01-01' + (n + 1) * interval '80 days')
  FROM generate_series(0, 13) n \gexec
INSERT INTO loan_part SELECT * FROM loan;
CREATE INDEX ON loan_part (reader_id);

CREATE EXTENSION postgres_fdw;
SELECT format('CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L)',
              split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database())
  \gexec
CREATE USER MAPPING FOR CURRENT_USER SERVER far;
CREATE FOREIGN TABLE far_loan (id int, reader_id int, book_id int, taken timestamp, days int, fee numeric(8, 2))
  SERVER far OPTIONS (table_name 'loan');

CREATE FUNCTION busiest(days_least int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  found bigint := 0;
BEGIN
  FOR b IN 0..7 LOOP
    found := found + (SELECT count(DISTINCT l.book_id) FROM loan l JOIN reader r ON r.id = l.reader_id
                       WHERE r.branch = b AND l.days >= days_least);
  END LOOP;
  RETURN found;
END $$;
VACUUM ANALYZE;
ANALYZE far_loan;
