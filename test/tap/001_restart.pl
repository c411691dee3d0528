# What was learned outlives a restart and a crash.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('restart');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($node, 'postgres');
run_statement($node, 'postgres', 3);
ok(wait_calls($node, 'postgres', 3), 'three runs are in the history');
cmp_ok(estimate_of($node, 'postgres'), '<', 20, 'the planner alone is far off');
run_correlated($node, 'postgres');
is(estimate_of($node, 'postgres'), 400, 'a row count counts at once');
flush($node, 'postgres');
my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM query_shaper.history_data');

$node->restart;
ok(launcher_ready($node), 'the launcher runs after a restart');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM query_shaper.history_data'), '>=', $before, 'history outlives a restart');
# Predictions are cold until a learner has read the tables, which flush() waits for.
flush($node, 'postgres');
run_statement($node, 'postgres');
ok(wait_calls($node, 'postgres', 4), 'the run after the restart joins the same row');
cmp_ok(seen_of($node, 'postgres'), '>', 2.9, 'the prediction after the restart knows the runs before it');
is( $node->safe_psql('postgres', "SELECT count(*) FROM query_shaper.history_data WHERE query LIKE '%sum(v)%sample%'"),
	1, 'one row for one statement');

is(estimate_of($node, 'postgres'), 400, 'learned rows outlive a restart');
run_correlated($node, 'postgres', 8);

# Outcomes that are in the ring when the server is told to stop reach the tables.
run_statement($node, 'postgres', 2);
$node->restart;
ok(wait_calls($node, 'postgres', 6), 'a fast shutdown keeps the last runs');

flush($node, 'postgres');
is(estimate_of($node, 'postgres', 8), 400, 'and learned rows');
is(estimate_of($node, 'postgres', 7), 400, 'beside those of before');

# An immediate shutdown is a crash: nothing gets to write anything.
flush($node, 'postgres');
my $stored = $node->safe_psql('postgres', 'SELECT sum(calls) FROM query_shaper.history_data');
$node->stop('immediate');
$node->start;
cmp_ok($node->safe_psql('postgres', 'SELECT sum(calls) FROM query_shaper.history_data'), '>=', $stored, 'flushed history outlives a crash');
flush($node, 'postgres');
run_statement($node, 'postgres');
ok(wait_calls($node, 'postgres', 7), 'learning goes on after a crash');
cmp_ok(seen_of($node, 'postgres'), '>', 5.5, 'predictions after a crash know the runs before it');

is(estimate_of($node, 'postgres', 8), 400, 'learned rows outlive a crash');

# The same with every process killed at once.
flush($node, 'postgres');
kill_and_start($node);
flush($node, 'postgres');
run_statement($node, 'postgres');
ok(wait_calls($node, 'postgres', 8), 'kill -9 of the postmaster: learning goes on');
cmp_ok(seen_of($node, 'postgres'), '>', 6.5, 'kill -9 of the postmaster: predictions know the runs before it');
is(log_count($node, qr/PANIC|terminated by signal (?!9)/), 0, 'no crash of its own');

$node->stop;
done_testing();
