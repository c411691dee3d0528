# What statements are called where nothing but query_shaper asks for identifiers: the same as beside pg_stat_statements,
# whatever way they come, and whatever they pass through. Point queries are named only when somebody asks.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('query_ids', "compute_query_id = 'auto'", 'query_shaper.learn_rows = off');
$node->start;
$node->safe_psql('postgres', <<~'SQL');
	SET check_function_bodies = off;  -- their tables come after
	CREATE EXTENSION query_shaper;
	CREATE EXTENSION pg_stat_statements;
	CREATE TABLE thing (id int PRIMARY KEY, name varchar, v int);
	INSERT INTO thing SELECT g, 'thing ' || g, g % 100 FROM generate_series(1, 500) g;
	CREATE TABLE part (id int, v int) PARTITION BY RANGE (id);
	CREATE TABLE part_one PARTITION OF part FOR VALUES FROM (0) TO (300);
	CREATE TABLE part_two PARTITION OF part FOR VALUES FROM (300) TO (9000);
	INSERT INTO part SELECT id, v FROM thing;
	CREATE TABLE parent (id int, v int);
	CREATE TABLE child () INHERITS (parent);
	INSERT INTO child SELECT id, v FROM thing;
	CREATE TABLE logged (id int);
	CREATE VIEW thing_view AS SELECT id, v FROM thing WHERE v < 90;
	CREATE TABLE ruled (id int, v int);
	INSERT INTO ruled SELECT id, v FROM thing;
	CREATE RULE log_ruled AS ON UPDATE TO ruled DO ALSO INSERT INTO logged VALUES (old.id);
	CREATE TABLE secured (id int, owner text);
	INSERT INTO secured SELECT g, CASE WHEN g % 2 = 0 THEN 'reader' ELSE 'other' END FROM generate_series(1, 500) g;
	ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
	CREATE TABLE owners (name text);
	INSERT INTO owners VALUES ('reader');
	CREATE POLICY own ON secured USING (owner IN (SELECT name FROM owners));
	CREATE TABLE barred (id int, owner text);
	INSERT INTO barred SELECT id, owner FROM secured;
	ALTER TABLE barred ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON barred USING (owner = current_user);
	CREATE ROLE reader;
	GRANT SELECT ON secured, barred, owners TO reader;
	ANALYZE;
	CREATE FUNCTION of_plpgsql(n int) RETURNS int LANGUAGE plpgsql AS $$
	  DECLARE found_v int;
	  BEGIN
	    SELECT v INTO found_v FROM q_plpgsql WHERE id = n;
	    EXECUTE 'SELECT v FROM q_dynamic WHERE id = ' || n INTO found_v;
	    EXECUTE 'SELECT v FROM q_using WHERE id = $1' INTO found_v USING n;
	    RETURN found_v;
	  END $$;
	CREATE FUNCTION of_sql(n int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT v FROM q_sql WHERE id = n';
	CREATE FUNCTION of_text(n int) RETURNS int LANGUAGE sql VOLATILE AS
	  'SELECT name FROM q_kept_first WHERE id = n; SELECT v FROM q_kept_second WHERE id = n';
	CREATE FUNCTION is_slowly(a int, b int) RETURNS boolean LANGUAGE plpgsql AS $$
	  BEGIN PERFORM pg_sleep(0.3); RETURN a = b; END $$;
	CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = is_slowly);
	CREATE TABLE few AS SELECT 1 AS id;
	SQL

# Every statement has a table of its own, whose name its text tells, and :c is another constant each time.
my @by_text = qw(q_cursor q_ctas);
my $statements = <<~'SQL';
	SELECT * FROM q_point WHERE id = :c;
	SELECT v, name, ctid, q_whole FROM q_whole WHERE :c = id;
	SELECT * FROM q_both WHERE id = :c AND v > 3 AND name <> 'x:c';
	SELECT name FROM q_label WHERE name = 'thing :c';
	SELECT * FROM q_scan WHERE v = :c;
	SELECT * FROM ONLY parent q_only WHERE id = :c;
	SELECT * FROM parent q_parent WHERE id = :c;
	SELECT * FROM part q_part WHERE id = :c;
	SELECT * FROM part_one q_piece WHERE id = :c;
	SELECT * FROM q_order WHERE id = :c ORDER BY v LIMIT 1;
	SELECT count(*) FROM q_count WHERE id = :c;
	SELECT abs(v) FROM q_abs WHERE id = :c;
	SELECT * FROM q_in WHERE id IN (:c, 3);
	SELECT * FROM q_update WHERE id = :c FOR UPDATE;
	SELECT * FROM q_join JOIN thing b USING (id) WHERE q_join.id = :c;
	SELECT * FROM thing_view q_view WHERE id = :c;
	UPDATE ruled q_rule SET v = v WHERE id = :c;
	SELECT 1 FROM q_first WHERE id = :c\; SELECT name FROM q_second WHERE id = :c;
	SELECT of_plpgsql(:c);
	SELECT of_sql(:c);
	SELECT of_text(:c);
	PREPARE custom(int) AS SELECT v FROM q_custom WHERE id = $1;
	EXECUTE custom(:c);
	SET plan_cache_mode = force_generic_plan;
	PREPARE generic(int) AS SELECT v FROM q_generic WHERE id = $1;
	EXECUTE generic(:c);
	PREPARE fixed AS SELECT v FROM q_fixed WHERE id = 7;
	EXECUTE fixed;
	RESET plan_cache_mode;
	BEGIN;
	DECLARE c CURSOR FOR SELECT v FROM q_cursor WHERE id = :c;
	FETCH ALL FROM c;
	COMMIT;
	CREATE TEMP TABLE made AS SELECT v FROM q_ctas WHERE id = :c;
	EXPLAIN (ANALYZE, VERBOSE) SELECT v FROM q_explain WHERE id = :c;
	COPY (SELECT v FROM q_copy WHERE id = :c) TO STDOUT;
	DO $$ BEGIN PERFORM v FROM q_do WHERE id = :c; END $$;
	SET ROLE reader;
	SELECT * FROM secured q_rls WHERE id = :c;
	SELECT * FROM barred q_barred WHERE id = :c;
	RESET ROLE;
	SQL

my %expected = map { $_ => 1 } $statements =~ /\bq_[a-z_]+/g;
$expected{$_} = 1 for qw(q_plpgsql q_dynamic q_using q_sql q_kept_first q_kept_second q_extended q_extended_plain q_prepared q_prepared_plain);
$node->safe_psql('postgres', join("\n", map { "CREATE TABLE $_ (LIKE thing INCLUDING ALL); INSERT INTO $_ TABLE thing;" } keys %expected));
$node->safe_psql('postgres', <<~'SQL');
	ANALYZE;
	CREATE FUNCTION of_trees(n int) RETURNS int LANGUAGE sql VOLATILE BEGIN ATOMIC
	  SELECT name FROM q_kept_first WHERE id = n; SELECT v FROM q_kept_second WHERE id = n; END;
	SQL

sub run_all
{
	my ($constant) = @_;
	my $sql = $statements =~ s/:c\b/$constant/gr;
	$node->safe_psql('postgres', "SET query_shaper.min_cost = 0;\n$sql");
	# The same over the extended protocol, without parameters and with them.
	for my $mode (qw(extended prepared))
	{
		my $script = $node->basedir . "/$mode.sql";
		append_to_file($script, "SELECT v FROM q_$mode WHERE id = :c;\nSELECT v FROM q_${mode}_plain WHERE id = 7;\n");
		$node->command_ok([ 'pgbench', '-n', '-t', 1, '-M', $mode, '-D', "c=$constant", '-f', $script, 'postgres' ], "pgbench -M $mode");
		unlink $script;
	}
	flush($node, 'postgres');
	return;
}

# The two statements of a function that is kept as analysed trees: they have no text.
sub run_textless
{
	$node->safe_psql('postgres', 'SET query_shaper.min_cost = 0; SELECT of_trees(4)');
	flush($node, 'postgres');
	return;
}
my $kept_calls = "SELECT string_agg(calls::text, ' ') FROM query_shaper.history_data WHERE query_id IN (%s)";

my $told = "FROM (SELECT query, substring(query FROM 'q_[a-z_]+') AS label, query_id, calls FROM query_shaper.history_data) h WHERE label IS NOT NULL";

# Runs a point query that is dear by nothing but its time.
sub run_slow
{
	$node->safe_psql('postgres', "SET query_shaper.min_cost = 1e9; SET query_shaper.late_tracking = '50ms'; SELECT * FROM few q_slow WHERE id === $_[0]");
	flush($node, 'postgres');
	return;
}

# The identifier that a session shows after a statement.
sub shown_after
{
	my ($session, $sql) = @_;
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	$session->query_safe($sql);
	return $node->safe_psql('postgres', "SELECT query_id FROM pg_stat_activity WHERE pid = $pid");
}

$node->append_conf('postgresql.conf', 'query_shaper.min_cost = 0');
$node->reload;
run_textless();
my @textless = split /\n/, $node->safe_psql('postgres', "SELECT query_id FROM query_shaper.history_data WHERE query = '' ORDER BY 1");
run_all(5);
my %alone = split /[|\n]/, $node->safe_psql('postgres', "SELECT DISTINCT label, query_id $told");
my @labels = sort keys %alone;
is_deeply(\@labels, [ sort keys %expected ], 'every statement is in the history');
is($node->safe_psql('postgres', "SELECT string_agg(label, ' ') $told AND query_id = 0"), '', 'under a name');
is($node->safe_psql('postgres', "SELECT string_agg(label, ' ') FROM (SELECT label $told GROUP BY label HAVING count(DISTINCT query_id) > 1) d"),
	'', 'and under one');

is("@textless", join(' ', sort { $a <=> $b } @alone{qw(q_kept_first q_kept_second)}),
	'statements without a text are called as those with one');
run_textless();
$kept_calls = sprintf $kept_calls, join ', ', @textless;
is($node->safe_psql('postgres', $kept_calls), '3 3', 'which they share their history with');
is($node->safe_psql('postgres', "SELECT count(*) $told AND query_id IN (" . join(', ', @textless) . ')'), 2, 'text included');

my $session = $node->background_psql('postgres');
$session->query_safe('SET query_shaper.min_cost = 100');
is(shown_after($session, 'SELECT * FROM q_point WHERE id = 6'), '', 'a point query that nobody looks at has no identifier');
is(shown_after($session, 'SELECT v FROM q_scan WHERE v = 6 AND id > 500'), '', 'nor has another that is cheap');
like(shown_after($session, 'SELECT count(*) FROM thing WHERE id = 6'), qr/^-?\d+$/, 'an aggregate has one');
like(shown_after($session, 'EXPLAIN SELECT * FROM q_point WHERE id = 6'), qr/^-?\d+$/, 'a utility statement has one');
$session->query_safe('SET query_shaper.min_cost = 1');
is(shown_after($session, 'SELECT * FROM q_point WHERE id = 6'), $alone{q_point}, 'a point query that is tracked shows its own');
$session->quit;
my ($explained) =
  $node->safe_psql('postgres', 'EXPLAIN (VERBOSE) SELECT * FROM q_point WHERE id = 6') =~ /Query Identifier: (-?\d+)/;
is($explained, $alone{q_point}, 'EXPLAIN VERBOSE shows it');
is($node->safe_psql('postgres', "SELECT query_id FROM query_shaper.fingerprint('SELECT * FROM q_point WHERE id = 6')"),
	$alone{q_point}, 'so does fingerprint()');

run_slow(1);
is($node->safe_psql('postgres', "SELECT count(*) || ' ' || sum(calls) $told AND label = 'q_slow'"), '1 1', 'a slow point query is in the history');
my $slow = $node->safe_psql('postgres', "SELECT query_id $told AND label = 'q_slow' AND query_id <> 0");
my $predicted = "SELECT count(*) FROM query_shaper.predictions WHERE query_id = $slow AND predicted_ms IS NOT NULL";
is($node->safe_psql('postgres', $predicted), 0, 'that was not tracked from its start');
run_slow(1);
is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT query_id::text, ' ') || ' ' || sum(calls) $told AND label = 'q_slow'"),
	"$slow 2", 'and under the same name when it is tracked from its start');
is($node->safe_psql('postgres', $predicted), 1, 'which it is');

# With an error in the middle, what was left is forgotten.
my ($status) = $node->psql('postgres', "SET query_shaper.min_cost = 1e9; SELECT * FROM thing WHERE id = 1 / 0; SELECT * FROM thing WHERE id = 2",
	on_error_stop => 0);
is($status, 0, 'an error after which a point query runs');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_stat_statements,query_shaper'\npg_stat_statements.track = all");
$node->restart;
run_textless();
is($node->safe_psql('postgres', $kept_calls), '4 4', 'beside pg_stat_statements, too');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_statements WHERE query = '' OR query LIKE '%q\_kept%'"),
	0, 'which is told nothing that PostgreSQL does not tell it');
run_all(9);
run_slow(2);
$alone{q_slow} = $slow;
my %beside = split /[|\n]/, $node->safe_psql('postgres', "SELECT label, string_agg(DISTINCT query_id::text, ' ') $told GROUP BY label");
is_deeply(\%beside, \%alone, 'beside pg_stat_statements all are called the same');
is( $node->safe_psql('postgres',
		"SELECT string_agg(label, ' ' ORDER BY label) FROM (SELECT DISTINCT label $told AND NOT EXISTS (SELECT FROM pg_stat_statements s WHERE s.queryid = h.query_id)) d"),
	join(' ', sort @by_text), 'as it calls them, but for those that it has no name for');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'query_shaper'\ncompute_query_id = off");
$node->restart;
$session = $node->background_psql('postgres');
is(shown_after($session, 'SELECT count(*) FROM thing WHERE id = 6'), '', 'where identifiers are off, nothing makes any');
$session->quit;
run_all(11);
is($node->safe_psql('postgres', "SELECT count(DISTINCT query_id) $told AND label = 'q_point'"), 2, 'and texts are names');
run_textless();
is($node->safe_psql('postgres', $kept_calls), '6 6', 'but for statements that have none');

done_testing();
