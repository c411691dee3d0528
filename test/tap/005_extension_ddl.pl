# Where the extension comes and goes: later databases, DROP EXTENSION, a server without the preload.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('extension');
$node->start;

# Sessions that are older than the extension are learned from as well.
$node->safe_psql('postgres', 'CREATE DATABASE later');
load_table($node, 'later');
run_statement($node, 'later');
my $old = $node->background_psql('later');
$old->query_safe(sprintf $QueryShaperNode::statement, 1);
$node->safe_psql('later', 'CREATE EXTENSION query_shaper');
$old->query_safe(sprintf $QueryShaperNode::statement, $_) for 1 .. 3;
ok(wait_calls($node, 'later', 3), 'learning starts by itself where the extension is created later');

# A learner and a session in the middle of things do not hold up DROP EXTENSION.
learner_pid($node, 'later');
$node->safe_psql('later', 'DROP EXTENSION query_shaper');
pass('DROP EXTENSION right after tracked work');
$old->query_safe(sprintf $QueryShaperNode::statement, 4);
ok($node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'query_shaper learner'"),
	'its learner ends');
$node->safe_psql('later', 'CREATE EXTENSION query_shaper');
is($node->safe_psql('later', 'SELECT count(*) FROM query_shaper.history_data'), 0, 'a new extension starts empty');
$old->query_safe(sprintf $QueryShaperNode::statement, 5);
ok(wait_calls($node, 'later', 1), 'and learns again');
is(seen_of($node, 'later') + 0, 0, 'without what the dropped one knew');

# Created and rolled back.
$node->safe_psql('postgres', 'BEGIN; CREATE EXTENSION query_shaper; ROLLBACK');
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($node, 'postgres');
run_statement($node, 'postgres');
ok(wait_calls($node, 'postgres', 1), 'learning starts after a rolled back CREATE EXTENSION');

# A transaction that holds the tables: the learner gives way and writes afterwards.
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE query_shaper.history_data IN ACCESS EXCLUSIVE MODE');
run_statement($node, 'postgres', 2);
$locker->query_safe('COMMIT');
ok(wait_calls($node, 'postgres', 3), 'nothing is lost while somebody holds the tables');
$locker->quit;
$old->quit;
is(log_count($node, qr/PANIC|terminated by signal/), 0, 'no crash');

# Without the preload.
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
my $conf = slurp_file($node->data_dir . '/postgresql.conf');
$conf =~ s/^query_shaper\..*$//mg;
open my $file, '>', $node->data_dir . '/postgresql.conf' or die $!;
print $file $conf;
close $file;
$node->restart;
$node->safe_psql('postgres', 'CREATE DATABASE plain');
is($node->psql('plain', 'CREATE EXTENSION query_shaper'), 0, 'CREATE EXTENSION succeeds without the preload');
for my $call ("predict('SELECT 1')", "fingerprint('SELECT 1')", 'flush()', 'train()', 'reset()', 'forget(1)',
	"report(1::bigint, 'text')", 'export_knowledge()', "import_knowledge('{}')", 'pause(1)', 'resume(1)')
{
	my ($status, $out, $err) = $node->psql('plain', "SELECT * FROM query_shaper.$call");
	isnt($status, 0, "$call fails without the preload");
	like($err, qr/shared_preload_libraries/, "$call says what to set");
}
for my $view (qw(activity activity_nodes metrics))
{
	my ($status, $out, $err) = $node->psql('plain', "SELECT * FROM query_shaper.$view");
	like($err, qr/shared_preload_libraries/, "view $view says what to set");
}

$node->stop;
done_testing();
