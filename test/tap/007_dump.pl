# pg_dump carries what was learned into another server.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('source');
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql('source', 'CREATE EXTENSION query_shaper');
load_table($node, 'source');
run_statement($node, 'source', 5);
ok(wait_calls($node, 'source', 5), 'five runs are in the history');
run_correlated($node, 'source');
flush($node, 'source');

my @tables = qw(history_data profile_data model_data prediction_data event_data row_estimate_data known_plan_data access_pattern_data partition_hint_data);
my %rows = map { $_ => $node->safe_psql('source', "SELECT count(*) FROM query_shaper.$_") } @tables;
my $target = new_node('target');
$target->start;
for my $format (qw(custom plain))
{
	my $file = PostgreSQL::Test::Utils::tempdir() . "/dump.$format";
	$node->command_ok([ 'pg_dump', '-F', $format, '-f', $file, 'source' ], "pg_dump, format $format");
	$target->safe_psql('postgres', "CREATE DATABASE $format");
	$target->command_ok(
		$format eq 'custom'
		? [ 'pg_restore', '--exit-on-error', '-d', $format, $file ]
		: [ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $format, '-f', $file ],
		"restore, format $format");
	for my $table (@tables)
	{
		cmp_ok($target->safe_psql($format, "SELECT count(*) FROM query_shaper.$table"), '>=', $rows{$table},
			"$table is restored, format $format");
	}
	$target->safe_psql($format, 'ANALYZE sample');
	# The restored tables were filled behind the learner's back.
	$target->restart;
	flush($target, $format);
	run_statement($target, $format);
	ok(wait_calls($target, $format, 6), "the run after the restore joins the restored history, format $format");
	is(estimate_of($target, $format), 400, "learned rows are in use, format $format");
	# query_id names relations by OID, which differ here; the fingerprint names them by name.
	is( $target->safe_psql($format,
			"SELECT details ? 'cache' FROM query_shaper.prediction_data WHERE fingerprint = (SELECT fingerprint"
			  . " FROM query_shaper.history_data WHERE query LIKE '%sum(v)%sample%' LIMIT 1) ORDER BY at DESC LIMIT 1"),
		't', "and is predicted from it, format $format");
}

# Restored while the server learns: the learner notices, rows of one key become one.
my $file = PostgreSQL::Test::Utils::tempdir() . '/data.plain';
$node->command_ok([ 'pg_dump', '--data-only', '-F', 'plain', '-f', $file, 'source' ], 'pg_dump of the data alone');
$target->safe_psql('postgres', 'CREATE DATABASE running');
$target->safe_psql('running', 'CREATE EXTENSION query_shaper');
load_table($target, 'running');
run_statement($target, 'running', 2);
flush($target, 'running');
$target->safe_psql('running', 'TRUNCATE sample');
$target->command_ok([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', 'running', '-f', $file ], 'restore into a database that has learned');
ok($target->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'query_shaper learner'"), 'the learner of before has ended');
$target->safe_psql('running', 'ANALYZE sample');
run_statement($target, 'running');
flush($target, 'running');
is(estimate_of($target, 'running'), 400, 'restored rows are in use');
is( $target->safe_psql('running', 'SELECT count(*) FROM (SELECT FROM query_shaper.row_estimate_data GROUP BY key HAVING count(*) > 1) d'),
	0, 'one row for one key');
is($target->safe_psql('running', "SELECT count(*) FROM query_shaper.model_data WHERE name = 'models'"), 1, 'one row of models');
is( $target->safe_psql('running', 'SELECT count(*) FROM (SELECT FROM query_shaper.profile_data GROUP BY query_id, fingerprint HAVING count(*) > 1) d'),
	0, 'one row for one profile');
cmp_ok($target->safe_psql('running', "SELECT sum(calls) FROM query_shaper.history_data WHERE query LIKE '%sum(v)%sample%'"), '>=', 8, 'all runs are counted');
cmp_ok($target->safe_psql('running', "SELECT samples FROM query_shaper.model_data WHERE name = 'models'"), '>', 4.5, 'the restored models are in use');
is(log_count($_, qr/PANIC|terminated by signal/), 0, 'no crash') for $node, $target;

$target->stop;
$node->stop;
done_testing();
