# Clusters with query_shaper preloaded, and the waits that its tests share. Every wait polls a condition.
package QueryShaperNode;
use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_node load_table run_statement wait_calls wait_seen learner_pid launcher_ready seen_of flush log_count kill_and_start run_correlated estimate_of prefetched_both_ways
  ask_aside wait_aside begin_statement take_lock nothing_reserved);

# A statement of some milliseconds; the constant changes, the fingerprint does not.
our $statement = 'SELECT count(*), sum(v) FROM sample WHERE k = %d /* measured */';

# Not started. Lines go to postgresql.conf.
sub new_node
{
	my ($name, @lines) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 1);
	$node->append_conf(
		'postgresql.conf', join "\n",
		"shared_preload_libraries = 'query_shaper'",
		'compute_query_id = on',
		'query_shaper.min_cost = 100',
		'restart_after_crash = on',
		'max_parallel_workers_per_gather = 0',
		'autovacuum = off',
		@lines, '');
	return $node;
}

sub load_table
{
	my ($node, $database) = @_;
	$node->safe_psql($database,
		'CREATE TABLE sample AS SELECT g AS id, g % 50 AS k, g * 1.5 AS v FROM generate_series(1, 20000) g; ANALYZE sample');
}

sub run_statement
{
	my ($node, $database, $times) = @_;
	$node->safe_psql($database, sprintf($statement, $_)) for 1 .. ($times // 1);
}

# Waits until the history of the measured statement has this many calls.
sub wait_calls
{
	my ($node, $database, $calls) = @_;
	return $node->poll_query_until($database,
		"SELECT coalesce(sum(calls), 0) >= $calls FROM query_shaper.history_data WHERE query LIKE '%sum(v)%sample%'");
}

# Waits until the tables say that the statement had been seen at least so often when it was predicted.
sub wait_seen
{
	my ($node, $database, $seen) = @_;
	return $node->poll_query_until($database,
		"SELECT coalesce(max((details->>'seen')::float8), 0) >= $seen FROM query_shaper.prediction_data");
}

sub seen_of
{
	my ($node, $database) = @_;
	return $node->safe_psql($database,
		"SELECT (details->>'seen')::float8 FROM query_shaper.prediction_data p JOIN query_shaper.history_data h"
		  . " USING (query_id, fingerprint) WHERE h.query LIKE '%sum(v)%sample%' ORDER BY at DESC LIMIT 1");
}

sub flush
{
	my ($node, $database) = @_;
	$node->safe_psql($database, 'SELECT query_shaper.flush()');
}

# A statement whose rows the planner gets wrong by a factor of 200: 400 of them.
sub run_correlated
{
	my ($node, $database, $constant) = @_;
	$constant //= 7;
	return $node->safe_psql($database, "SELECT count(*) FROM sample WHERE k = $constant AND id % 50 = $constant");
}

# The rows it is planned with.
sub estimate_of
{
	my ($node, $database, $constant) = @_;
	$constant //= 7;
	my $plan = $node->safe_psql($database, "EXPLAIN SELECT * FROM sample WHERE k = $constant AND id % 50 = $constant");
	return $plan =~ /rows=(\d+)/ ? $1 : -1;
}

# Process id of the learner of this database, which a statement has set to work.
sub learner_pid
{
	my ($node, $database) = @_;
	run_statement($node, $database);
	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'query_shaper learner' AND datname = '$database'")
	  or die 'no learner came';
	return $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'query_shaper learner' AND datname = '$database'");
}

sub launcher_ready
{
	my ($node) = @_;
	return $node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'query_shaper launcher'");
}

# Kills the postmaster with -9 and starts the server anew. Its other processes notice, and may hold the shared memory for a
# moment longer.
sub kill_and_start
{
	my ($node) = @_;
	my $pid = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	my $tries = 10 * $PostgreSQL::Test::Utils::timeout_default;
	$node->kill9;
	for (1 .. $tries)
	{
		last unless kill 0, $pid;
		select undef, undef, undef, 0.1;
	}
	for (1 .. $tries)
	{
		return if $node->start(fail_ok => 1);
		$node->{_pid} = undef;
		select undef, undef, undef, 0.1;
	}
	die 'the server does not start after kill -9';
}

# What is asked with is not tracked and reserves nothing itself.
sub ask_aside
{
	my ($node, $sql) = @_;
	local $ENV{PGOPTIONS} = '-c query_shaper.mode=off';
	return $node->safe_psql('postgres', $sql);
}

sub wait_aside
{
	my ($node, $condition) = @_;
	local $ENV{PGOPTIONS} = '-c query_shaper.mode=off';
	return $node->poll_query_until('postgres', "SELECT $condition");
}

# A session that is sent the settings, one by one, and then a statement, which is not waited for; and its pid.
sub begin_statement
{
	my ($node, $sql, @settings) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query_safe($_) for @settings;
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_until(qr/begun/, "\\echo begun\n$sql;\n");
	return ($session, $pid);
}

# A session that holds advisory lock 1, at which statements can be held.
sub take_lock
{
	my ($node) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query_safe('SET query_shaper.mode = off; SELECT pg_advisory_lock(1)');
	return $session;
}

# No statement has memory of the pool any more.
sub nothing_reserved
{
	my ($node, $when) = @_;
	ok(wait_aside($node, "reserved = 0 FROM query_shaper.pool WHERE resource = 'memory'"), "nothing is reserved $when");
	is(ask_aside($node, 'SELECT count(*) FROM query_shaper.reservations'), 0, "no reservation is left $when");
	return;
}

# How often a pattern stands in the server log from this offset on.
sub log_count
{
	my ($node, $pattern, $offset) = @_;
	my $text = substr(slurp_file($node->logfile), $offset // 0);
	my @found = $text =~ /$pattern/g;
	return scalar @found;
}

# Output of the statements without prefetching and with it, in one transaction that is rolled back.
sub prefetched_both_ways
{
	my ($node, $settings, $body) = @_;
	my @results;
	for my $prefetch ('off', 'on')
	{
		push @results, "SET LOCAL query_shaper.prefetch = $prefetch;\n\\echo == $prefetch\nSAVEPOINT s; $body ROLLBACK TO s;\n";
	}
	my $output = $node->safe_psql('postgres', "$settings BEGIN ISOLATION LEVEL REPEATABLE READ;\n" . join('', @results) . 'ROLLBACK;');
	my (undef, $stock, $ours) = split /^== (?:off|on)$/m, $output, 3;
	s/^\n|\n$//g for $stock, $ours;
	return ($stock, $ours);
}

1;
