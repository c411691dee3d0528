# kill -9 of the learner and of a tracked backend: the server recovers, the history is intact, learning goes on.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('killed');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($node, 'postgres');
run_statement($node, 'postgres', 3);
flush($node, 'postgres');
my $calls = 3;

my $pid = learner_pid($node, 'postgres');
++$calls;
flush($node, 'postgres');
kill 9, $pid;
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'the killed learner is gone');
ok(launcher_ready($node), 'the launcher is back');
ok(wait_calls($node, 'postgres', $calls), 'the history is intact after kill -9 of the learner');
flush($node, 'postgres');
run_statement($node, 'postgres');
++$calls;
ok(wait_calls($node, 'postgres', $calls), 'a new learner learns');
cmp_ok(seen_of($node, 'postgres'), '>', 3.5, 'and knows what the killed one had learned');

# A tracked backend in the middle of a statement.
my $running = $node->background_psql('postgres', on_error_stop => 0);
my $backend = $running->query_safe('SELECT pg_backend_pid()');
$running->query_until(qr/started/, "\\echo started\nSELECT count(*) FROM sample a, sample b, sample c WHERE a.v + b.v + c.v > 0;\n");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM query_shaper.activity WHERE pid = $backend"), 'a long statement is tracked');
kill 9, $backend;
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $backend"), 'its backend is gone');
eval { $running->quit };
ok(launcher_ready($node), 'the launcher is back again');
is($node->safe_psql('postgres', "SELECT count(*) FROM query_shaper.activity WHERE pid = $backend"), 0, 'activity forgot the killed backend');
ok(wait_calls($node, 'postgres', $calls), 'the history is intact after kill -9 of a backend');
run_statement($node, 'postgres');
++$calls;
ok(wait_calls($node, 'postgres', $calls), 'learning goes on');

# Ended by the administrator, without a crash.
$pid = learner_pid($node, 'postgres');
++$calls;
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
run_statement($node, 'postgres');
++$calls;
ok(wait_calls($node, 'postgres', $calls), 'a terminated learner writes what it has learned, the next one goes on');
my $launcher = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'query_shaper launcher'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'query_shaper launcher' AND pid <> $launcher"),
	'a terminated launcher is started again');
run_statement($node, 'postgres');
++$calls;
ok(wait_calls($node, 'postgres', $calls), 'and starts learners');
is(log_count($node, qr/PANIC|terminated by signal (?!9)/), 0, 'no crash of its own');

$node->stop;
done_testing();
