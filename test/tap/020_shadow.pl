# Shadows beside running statements: they answer, end with their statement, see what its role sees, and are in nobody's way.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('shadow', 'query_shaper.min_cost = 0', 'query_shaper.shadow_min_time = 0',
	"query_shaper.shadow_budget = '60s'", 'query_shaper.learn_rows = off', 'query_shaper.replan = off');
$node->start;

sub prepare_database
{
	my ($database) = @_;
	$node->safe_psql($database, <<~'SQL');
		CREATE EXTENSION query_shaper;
		CREATE TABLE fact AS SELECT g AS id, g % 1000 AS key, CASE WHEN g % 100 = 0 THEN 'reader' ELSE 'other' END AS owner
		  FROM generate_series(1, 100000) g;
		CREATE TABLE dim AS SELECT g AS key FROM generate_series(0, 999) g, generate_series(1, 3);
		ANALYZE fact, dim;
		CREATE FUNCTION slow(int) RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN $1; END $$;
		SQL
}

# Sleeps for hours where it is let, in its select list, which a shadow leaves out.
my $joins = 'FROM fact a JOIN dim d USING (key) JOIN dim e USING (key)';
my $long = "SELECT count(slow(a.id)) $joins";
my $count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'query_shaper shadow'";
my $waiting = "SET query_shaper.fault = 'shadow:wait'; ";

# A session of its own, for an error ends it.
sub start_long
{
	my ($sql, $database) = @_;
	my $session = $node->background_psql($database // 'postgres', on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	$session->query_until(qr/started/, "\\echo started\n$sql;\n");
	$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM query_shaper.activity WHERE pid = $pid") or die 'it does not run';
	return { session => $session, pid => $pid };
}

sub shadows
{
	my ($running, $what) = @_;
	return ok($node->poll_query_until('postgres', $count, $running), $what);
}

sub end_long
{
	my ($long) = @_;
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($long->{pid})");
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $long->{pid} AND state = 'active'")
	  or die 'it was not cancelled';
	eval { $long->{session}->quit };
	return;
}

sub told
{
	my ($column, $more) = @_;
	flush($node, 'postgres');
	return $node->safe_psql('postgres',
		"SELECT $column FROM query_shaper.events WHERE action = 'shadow' " . ($more // '') . ' ORDER BY at DESC LIMIT 1');
}
my $verdict = "verdict || ': ' || reason";

# A shadow that has come and gone leaves its rows: the statement's plan shows them.
sub run_beside
{
	my ($sql, $look) = @_;
	my $running = start_long($sql);
	$node->poll_query_until('postgres', "SELECT bool_or(elapsed > interval '500 ms') FROM query_shaper.activity WHERE pid = $running->{pid}")
	  or die 'it ended too early';
	shadows(0, 'the shadow ends while its statement runs');
	$look->($running->{pid}) if $look;
	end_long($running);
	return;
}

prepare_database('postgres');
run_beside($long);
like(told($verdict), qr/^done: a sampled run checked its row estimates/, 'it has checked the rows');
cmp_ok(told("details->>'nodes'"), '>=', 3, 'of nodes of the plan');

# The statement ends first.
my $running = start_long($waiting . $long);
shadows(1, 'a shadow runs');
end_long($running);
shadows(0, 'it ends with its statement');
like(told($verdict), qr/^done: a sampled run had no answer before the end/, 'and says that it had no answer');

# Its own failure stays its own.
is($node->safe_psql('postgres', "SET query_shaper.fault = 'shadow:error'; SELECT count(*) $joins"), '900000', 'a failing shadow harms nobody');
run_beside("SET query_shaper.fault = 'shadow:error'; $long");
like(told($verdict), qr/^failed: the sampled run failed: fault point "shadow" raised/, 'and is told');

run_beside("SET query_shaper.shadow_budget = '100ms'; $waiting $long");
like(told($verdict), qr/^done: a sampled run had no answer/, 'a shadow ends with its budget');

# No more than two at once.
my @running;
push @running, start_long($waiting . $long);
shadows(1, 'one');
push @running, start_long($waiting . $long);
shadows(2, 'two');
push @running, start_long($waiting . $long);
like(told($verdict), qr/^declined: as many shadows as may run at once/, 'the third is declined');
end_long($_) for @running;
shadows(0, 'all end');

# What another process cannot stand in for.
sub declined
{
	my ($sql, $reason, $what) = @_;
	$node->safe_psql('postgres', $sql);
	return like(told($verdict), qr/^declined: .*$reason/, $what);
}
declined("SELECT count(random()) $joins", 'volatile functions', 'volatile functions are declined');
declined('CREATE TEMP TABLE mine AS SELECT * FROM dim; SELECT count(*) FROM fact a JOIN mine d USING (key)',
	'a temporary table', 'temporary tables are declined');
declined("BEGIN; INSERT INTO fact SELECT -g, 1, 'new' FROM generate_series(1, 500) g; SELECT count(*) $joins; COMMIT",
	'its transaction has written', 'a transaction that has written is declined');
declined("BEGIN; CREATE INDEX ON fact (key); COMMIT; SET query_shaper.prefetch = on; SET query_shaper.fault = 'prefetch:force'; SET enable_seqscan = off;"
	  . "SET enable_bitmapscan = off; SELECT count(*) FROM fact a JOIN dim d USING (key) WHERE a.key < 5; DROP INDEX fact_key_idx",
	'reads ahead', 'a statement that reads ahead of itself is declined');
is($node->safe_psql('postgres', 'SELECT count(*) FROM fact WHERE id < 0'), 500, 'its rows are there');
$node->safe_psql('postgres', 'DELETE FROM fact WHERE id < 0');

# Rows of a transaction in progress are not seen, and not damaged by one who looks at them with another's snapshot.
my $writer = $node->background_psql('postgres');
$writer->query_safe('BEGIN');
$writer->query_safe("INSERT INTO fact SELECT -g, 1, 'late' FROM generate_series(1, 700) g");
run_beside("BEGIN ISOLATION LEVEL SERIALIZABLE; $long");
like(told($verdict), qr/^done: a sampled run checked/, 'a serializable transaction has a shadow');
$writer->query_safe('COMMIT');
$writer->quit;
is($node->safe_psql('postgres', 'SELECT count(*) FROM fact WHERE id < 0'), 700, 'rows that were in progress are there');
$node->safe_psql('postgres', 'DELETE FROM fact WHERE id < 0');

# Rights: the policy lets one in a hundred rows through, by a setting of the session; the planner guesses one in three.
$node->safe_psql('postgres', <<~'SQL');
	CREATE ROLE reader;
	CREATE FUNCTION visible(owner text) RETURNS boolean STABLE LANGUAGE plpgsql AS
	  $$ BEGIN RETURN owner = current_setting('test.owner') AND current_user = 'reader'; END $$;
	ALTER TABLE fact ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON fact USING (visible(owner));
	GRANT SELECT ON fact, dim TO reader;
	SQL
my $reader = "SET test.owner = 'reader'; SET ROLE reader; ";
is($node->safe_psql('postgres', "$reader SELECT count(*) $joins"), '9000', 'row security holds in the statement');
run_beside($reader . $long, sub {
	my ($pid) = @_;
	ok($node->poll_query_until('postgres', "SELECT bool_or(refined_rows BETWEEN 500 AND 3000) FROM query_shaper.activity_nodes"
		. " WHERE pid = $pid AND relation LIKE '%fact'"), 'the tracker goes by its rows');
});
like(told($verdict, "AND usename = 'reader'"), qr/^done: a sampled run checked/, 'a role that may not log in, under one that may');
cmp_ok(told("(details->>'largest_factor')::float8", "AND usename = 'reader'"), '>', 15, 'its shadow sees what the policy lets through');
$node->safe_psql('postgres', 'ALTER TABLE fact DISABLE ROW LEVEL SECURITY');

# DROP DATABASE is not held up.
$node->safe_psql('postgres', 'CREATE DATABASE dropped');
prepare_database('dropped');
$running = start_long($waiting . $long, 'dropped');
shadows(1, 'a shadow in a database to be dropped');
end_long($running);
my ($status, $out, $err) = $node->psql('postgres', 'DROP DATABASE dropped');
is($status, 0, 'DROP DATABASE right after the end of its statement') or diag $err;

# Locks: nobody waits for a lock that a shadow waits for.
$running = start_long("BEGIN; LOCK dim IN ACCESS EXCLUSIVE MODE; $long");
$node->poll_query_until('postgres', "SELECT bool_or(elapsed > interval '500 ms') FROM query_shaper.activity WHERE pid = $running->{pid}");
shadows(0, 'a shadow does not wait for its own statement');
end_long($running);
like(told($verdict), qr/^(failed: .*lock timeout|declined: .*has written)/, 'and says so');

# kill -9.
$running = start_long($waiting . $long);
shadows(1, 'a shadow to be killed');
my $shadow = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'query_shaper shadow'");
kill 9, $shadow;
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $shadow"), 'the killed shadow is gone');
eval { $running->{session}->quit };
ok(launcher_ready($node), 'the server is back');
run_beside($long);
like(told($verdict), qr/^done: a sampled run checked/, 'and shadows run again');
is($node->safe_psql('postgres', 'SELECT count(*) FROM fact'), 100000, 'no row was lost');

$node->stop;
done_testing();
