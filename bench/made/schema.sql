-- What the benches make where no data folder is: a lending library. Books and readers are skewed (powers of a uniform
-- number), the branch goes with the reader and the topic with the book, which the planner does not know.
CREATE FUNCTION uniform(n bigint, stream int) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN (hashint8extended(n, stream) & 1073741823) / 1073741824.0;

CREATE TABLE reader (id int PRIMARY KEY, branch int, joined date, name text);
CREATE TABLE book (id int PRIMARY KEY, topic int, year int, title text);
CREATE TABLE loan (id int PRIMARY KEY, reader_id int, book_id int, taken timestamp, days int, fee numeric(8, 2));
CREATE TABLE review (id int PRIMARY KEY, loan_id int, stars int, words text);
CREATE TABLE cites (from_book int, to_book int);

INSERT INTO reader SELECT g, floor(40 * power(uniform(g, 1), 2))::int, date '2010-01-01' + (g / 40), 'reader ' || g
  FROM generate_series(1, 150000) g;
INSERT INTO book SELECT g, floor(200 * power(g / 60000.0, 2))::int, 2020 - floor(80 * power(uniform(g, 2), 3))::int,
  md5(g::text) || ' ' || g FROM generate_series(1, 60000) g;
INSERT INTO loan SELECT g, 1 + floor(150000 * power(uniform(g, 3), 2.5))::int, 1 + floor(60000 * power(uniform(g, 4), 3))::int,
  timestamp '2015-01-01' + g * interval '1 minute', 1 + floor(60 * power(uniform(g, 5), 4))::int, round((5 * uniform(g, 6))::numeric, 2)
  FROM generate_series(1, 1500000) g;
INSERT INTO review SELECT g, 1 + floor(1500000 * uniform(g, 7))::int, 1 + floor(5 * sqrt(uniform(g, 8)))::int,
  repeat('word ', floor(20 * uniform(g, 9))::int) FROM generate_series(1, 500000) g;
INSERT INTO cites SELECT g, 1 + floor((g - 1) * power(uniform(g * 10 + k, 10), 2))::int
  FROM generate_series(2, 60000) g, generate_series(1, 5) k;

CREATE INDEX ON loan (book_id);
CREATE INDEX ON loan (reader_id);
CREATE INDEX ON loan (taken);
CREATE INDEX ON review (loan_id);
CREATE INDEX ON book (topic);
CREATE INDEX ON cites (from_book);
CREATE INDEX ON cites (to_book);
VACUUM ANALYZE;
