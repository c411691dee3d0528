# A hot standby predicts from what its primary learned, and learns and writes by itself once promoted.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $primary = new_node('primary');
$primary->start;
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

# Installed and learned while the standby is already running.
$primary->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($primary, 'postgres');
run_statement($primary, 'postgres', 5);
ok(wait_calls($primary, 'postgres', 5), 'the primary has learned');
# On a busy machine the times of a short statement scatter; the cache speaks alone once it has proved right often enough.
my $predict = 'SELECT origin FROM query_shaper.predict($$' . sprintf($QueryShaperNode::statement, 7) . '$$)';
for my $round (1 .. 60)
{
	flush($primary, 'postgres');
	last if $primary->safe_psql('postgres', $predict) eq 'cache';
	run_statement($primary, 'postgres', 3);
}
is($primary->safe_psql('postgres', $predict), 'cache', 'the primary predicts from what it learned');
flush($primary, 'postgres');
$primary->wait_for_catchup($standby);

ok($standby->poll_query_until('postgres', $predict, 'cache'), 'the standby predicts from what the primary learned');

my $unknown = $standby->safe_psql('postgres',
	"SELECT (features->>'since_last_run')::float8 > 10 FROM query_shaper.fingerprint('SELECT k, max(v) FROM sample GROUP BY k')");
is($unknown, 't', 'a statement that nobody ran is unknown');

# More of it follows while the standby is in use.
$primary->safe_psql('postgres', 'SELECT k, max(v) FROM sample GROUP BY k /* later */') for 1 .. 3;
flush($primary, 'postgres');
$primary->wait_for_catchup($standby);
# On the scale of the features, a statement that never ran lies far beyond one that ran a moment ago.
my $known = "SELECT (features->>'since_last_run')::float8 < 10 FROM query_shaper.fingerprint('SELECT k, max(v) FROM sample GROUP BY k')";
ok($standby->poll_query_until('postgres', $known), 'what the primary learned later arrives, too');

# And goes again.
my $query_id = $primary->safe_psql('postgres', "SELECT query_id FROM query_shaper.history WHERE query LIKE '%max(v)%'");
$primary->safe_psql('postgres', "SELECT query_shaper.forget($query_id)");
$primary->wait_for_catchup($standby);
ok($standby->poll_query_until('postgres', $known, 'f'), 'what the primary forgets the standby forgets');

# Learned rows take the same way.
run_correlated($primary, 'postgres');
flush($primary, 'postgres');
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT count(*) > 0 FROM query_shaper.row_estimates'), 't', 'view row_estimates works on the standby');
sub standby_plans_with
{
	my ($rows, $constant) = @_;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		# Statements are what makes a standby look at the tables again.
		run_statement($standby, 'postgres');
		return 1 if $rows eq 'natural' ? estimate_of($standby, 'postgres', $constant) < 20 : estimate_of($standby, 'postgres', $constant) == $rows;
		select undef, undef, undef, 0.1;
	}
	return 0;
}
ok(standby_plans_with(400, 7), 'the standby plans with the rows that its primary learned');
run_correlated($standby, 'postgres', 9);
is(estimate_of($standby, 'postgres', 9), 400, 'and with those that it learned itself');

is($standby->safe_psql('postgres', 'SELECT count(*) FROM query_shaper.history WHERE query LIKE \'%sum(v)%sample%\''), 1, 'the history can be read on the standby');
my $running = $standby->background_psql('postgres', on_error_stop => 0);
my $backend = $running->query_safe('SELECT pg_backend_pid()');
$running->query_until(qr/started/, "\\echo started\nSELECT count(*) FROM sample a, sample b, sample c WHERE a.v + b.v + c.v > 0;\n");
ok($standby->poll_query_until('postgres', "SELECT count(*) = 1 FROM query_shaper.activity WHERE pid = $backend AND progress IS NOT NULL"),
	'activity works on the standby');
$standby->safe_psql('postgres', "SELECT pg_cancel_backend($backend)");
eval { $running->quit };

# Reset on the primary: its next models begin anew, which tells the standby.
$primary->safe_psql('postgres', 'SELECT query_shaper.reset()');
run_statement($primary, 'postgres');
flush($primary, 'postgres');
$primary->wait_for_catchup($standby);
ok(standby_plans_with('natural', 7), 'what the primary was reset to the standby is reset to');
run_correlated($standby, 'postgres', 9);

# A statement that only the standby knows is learned in its memory.
my $own = 'SELECT k, min(v), max(v) FROM sample WHERE k < 20 GROUP BY k';
$standby->safe_psql('postgres', $own) for 1 .. 3;
$standby->safe_psql('postgres', 'SELECT query_shaper.flush()');
is( $standby->safe_psql('postgres', "SELECT (features->>'since_last_run')::float8 < 10 FROM query_shaper.fingerprint('$own')"),
	't', 'the standby learns by itself in memory');
is($standby->safe_psql('postgres', "SELECT count(*) FROM query_shaper.history WHERE query LIKE '%min(v)%'"), 0, 'and writes nothing');

$standby->promote;
$standby->safe_psql('postgres', $own);
ok($standby->poll_query_until('postgres', "SELECT count(*) = 1 FROM query_shaper.history_data WHERE query LIKE '%min(v)%'"),
	'once promoted it writes');
ok($standby->poll_query_until('postgres', "SELECT count(*) > 0 FROM query_shaper.row_estimates WHERE clauses LIKE '%id%' AND actual_rows = 400"),
	'also the rows that it learned before');
is(estimate_of($standby, 'postgres', 9), 400, 'and still plans with them');
is(log_count($_, qr/PANIC|terminated by signal/), 0, 'no crash') for $primary, $standby;

$standby->stop;
$primary->stop;
done_testing();
