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
flush($node, 'source');

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
	for my $table (qw(history_data profile_data model_data prediction_data event_data))
	{
		my $count = "SELECT count(*) FROM query_shaper.$table";
		cmp_ok($target->safe_psql($format, $count), '>=', $node->safe_psql('source', $count), "$table is restored, format $format");
	}
	# The restored tables were filled behind the learner's back.
	$target->restart;
	run_statement($target, $format);
	ok(wait_calls($target, $format, 6), "the run after the restore joins the restored history, format $format");
	cmp_ok(seen_of($target, $format), '>', 4.5, "and is predicted from it, format $format");
	is( $target->safe_psql($format, "SELECT count(*) FROM query_shaper.history_data WHERE query LIKE '%sum(v)%sample%'"),
		1, "one row for one statement, format $format");
}
is(log_count($_, qr/PANIC|terminated by signal/), 0, 'no crash') for $node, $target;

$target->stop;
$node->stop;
done_testing();
