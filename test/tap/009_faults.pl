# Failures inside: a model that throws, a learner that dies in the middle of a write. Queries run, nothing is stored in part.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('faults');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($node, 'postgres');
run_statement($node, 'postgres', 2);
flush($node, 'postgres');

sub metric
{
	my ($name) = @_;
	return $node->safe_psql('postgres', "SELECT coalesce(sum(value), 0) FROM query_shaper.metrics WHERE name LIKE '%$name%'");
}

sub set_fault
{
	my ($fault) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET query_shaper.fault = '$fault'");
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	ok($node->poll_query_until('postgres', "SELECT current_setting('query_shaper.fault')", $fault), "fault \"$fault\" is set");
	return;
}

# A prediction that throws.
my $offset = -s $node->logfile;
is($node->safe_psql('postgres', "SET query_shaper.fault = 'predict:throw'; " . sprintf($QueryShaperNode::statement, 3)),
	'400|5986800.0', 'a statement whose prediction throws gives its rows');
cmp_ok(metric('advice_failed'), '>=', 1, 'the failure is counted');
cmp_ok(log_count($node, qr/could not predict a statement/, $offset), '>=', 1, 'and logged');
flush($node, 'postgres');

# Learning that throws: the outcome is stored all the same.
my $calls = $node->safe_psql('postgres', "SELECT sum(calls) FROM query_shaper.history_data WHERE query LIKE '%sum(v)%sample%'");
set_fault('learn:throw');
$offset = -s $node->logfile;
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'query_shaper learner'"), 'the next learner knows it');
run_statement($node, 'postgres');
ok(wait_calls($node, 'postgres', $calls + 1), 'an outcome that cannot be learned is in the history');
cmp_ok(log_count($node, qr/could not learn an outcome/, $offset), '>=', 1, 'and its failure in the log');

# An error in the middle of a write.
set_fault('write:error');
$offset = -s $node->logfile;
run_correlated($node, 'postgres');
run_statement($node, 'postgres');
my ($status, $out, $err) = $node->psql('postgres', 'SELECT query_shaper.flush()');
like($err, qr/could not store what was learned/, 'flush tells of a learner that fails while it writes');
cmp_ok(log_count($node, qr/fault point "write" raised/, $offset), '>=', 1, 'the log says why');
is($node->safe_psql('postgres', "SELECT sum(calls) FROM query_shaper.history_data WHERE query LIKE '%sum(v)%sample%'"), $calls + 1, 'nothing was stored in part');
set_fault('');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM query_shaper.flush()'), 'the next learner writes');
is($node->safe_psql('postgres', "SELECT sum(calls) FROM query_shaper.history_data WHERE query LIKE '%sum(v)%sample%'"), $calls + 2, 'and it writes what the failed one had taken');
is(metric('outcomes_lost'), 0, 'nothing is lost');
cmp_ok(seen_of($node, 'postgres'), '>', 2.5, 'nor learned twice or not at all');

is( $node->safe_psql('postgres', "SELECT count(*) FROM query_shaper.row_estimates WHERE actual_rows = 400 AND clauses LIKE '%id%'"),
	1, 'and so were the rows it had not written');
is(estimate_of($node, 'postgres'), 400, 'which planning uses');

# A learner that dies in the middle of a write takes the server through recovery.
$calls = $node->safe_psql('postgres', "SELECT sum(calls) FROM query_shaper.history_data WHERE query LIKE '%sum(v)%sample%'");
set_fault('write:exit');
run_statement($node, 'postgres');
ok($node->poll_query_until('postgres', "SELECT pg_postmaster_start_time() < now() AND count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'query_shaper launcher'"), 'the launcher is there');
$node->safe_psql('postgres', "ALTER SYSTEM RESET query_shaper.fault");
$node->restart;
cmp_ok($node->safe_psql('postgres', "SELECT sum(calls) FROM query_shaper.history_data WHERE query LIKE '%sum(v)%sample%'"), '>=', $calls, 'the history is intact');
run_statement($node, 'postgres');
ok(wait_calls($node, 'postgres', $calls + 1), 'learning goes on');
is(log_count($node, qr/PANIC|terminated by signal/), 0, 'no crash');

$node->stop;
done_testing();
