# Workers without work hold nothing back: no transaction, no snapshot, no learner.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('idle');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($node, 'postgres');
my $ours = "backend_type LIKE 'query_shaper%'";

# While a learner lives, it is without a transaction between two writes.
my $pid = learner_pid($node, 'postgres');
ok(wait_calls($node, 'postgres', 1), 'the learner has written');
ok( $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE $ours AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)"),
	'no worker holds a transaction or snapshot');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.$ours AND l.locktype = 'relation'"), 0, 'nor a lock on a table');

# Vacuum removes what is dead although learner and launcher run.
run_statement($node, 'postgres');
$node->safe_psql('postgres', 'CREATE TABLE doomed AS SELECT generate_series(1, 1000) g; DELETE FROM doomed');
my ($status, $out, $err) = $node->psql('postgres', 'VACUUM (VERBOSE) doomed');
like($err, qr/tuples: 1000 removed, 0 remain, 0 are dead but not yet removable/, 'vacuum is not held back');

ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'query_shaper learner'"), 'a learner without work ends');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE $ours"), 1, 'the launcher stays alone');
is(log_count($node, qr/background worker "query_shaper learner[^"]*" \(PID \d+\) exited with exit code [^0]/), 0, 'every learner ended in order');

# The tables stay within their limits.
$node->append_conf('postgresql.conf', "query_shaper.events_max = 100");
$node->restart;
$node->safe_psql('postgres', 'DO $$ BEGIN FOR i IN 1 .. 40 LOOP PERFORM count(*) FROM sample WHERE k = i; END LOOP; END $$')
  for 1 .. 5;
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'query_shaper learner'"), 'the work is done');
run_statement($node, 'postgres');
ok($node->poll_query_until('postgres', 'SELECT count(*) BETWEEN 90 AND 100 FROM query_shaper.prediction_data'), 'old predictions are removed');

$node->stop;
done_testing();
