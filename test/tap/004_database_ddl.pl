# The learner is never in the way of DROP, ALTER and CREATE DATABASE.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('databases');
$node->start;

sub work_in
{
	my ($database) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, 'CREATE EXTENSION query_shaper');
	load_table($node, $database);
	return learner_pid($node, $database);
}

# Whoever stays connected is told by name in the DETAIL of this error.
sub succeeds
{
	my ($sql, $what) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql);
	is($status, 0, $what) or diag $err;
	return;
}

sub gone
{
	my ($pid, $what) = @_;
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid"), 0, $what);
	return;
}

my $pid = work_in('dropped');
succeeds('DROP DATABASE dropped', 'DROP DATABASE right after tracked work');
gone($pid, 'its learner is gone');

$pid = work_in('renamed');
succeeds('ALTER DATABASE renamed RENAME TO other', 'ALTER DATABASE RENAME right after tracked work');
gone($pid, 'its learner is gone');
ok(wait_calls($node, 'other', 1), 'what the learner had at that moment is in the tables');
run_statement($node, 'other');
ok(wait_calls($node, 'other', 2), 'learning goes on under the new name');

$pid = learner_pid($node, 'other');
succeeds('CREATE DATABASE copied TEMPLATE other', 'CREATE DATABASE with a busy template');
ok(wait_calls($node, 'other', 3), 'learning in the template goes on');
run_statement($node, 'copied');
ok(wait_calls($node, 'copied', 3), 'the copy starts with the history of its template and learns');

my $place = PostgreSQL::Test::Utils::tempdir();
$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$place'");
$pid = learner_pid($node, 'copied');
succeeds('ALTER DATABASE copied SET TABLESPACE elsewhere', 'ALTER DATABASE SET TABLESPACE right after tracked work');
gone($pid, 'its learner is gone');
run_statement($node, 'copied');
ok(wait_calls($node, 'copied', 5), 'learning goes on in the new tablespace');

# Failing statements release the hold.
learner_pid($node, 'other');
my $session = $node->background_psql('other');
isnt($node->psql('postgres', 'DROP DATABASE other'), 0, 'a database in use is not dropped');
$session->query_safe(sprintf $QueryShaperNode::statement, 1);
ok(wait_calls($node, 'other', 5), 'and its learner is started again');
$session->quit;

# Many databases come and go: slots are given back.
for my $i (1 .. 20)
{
	$node->safe_psql('postgres', "CREATE DATABASE many$i");
	$node->safe_psql("many$i", 'CREATE EXTENSION query_shaper');
	load_table($node, "many$i");
	run_statement($node, "many$i");
	$node->safe_psql('postgres', "DROP DATABASE many$i");
}
$node->safe_psql('postgres', 'CREATE DATABASE last');
$node->safe_psql('last', 'CREATE EXTENSION query_shaper');
load_table($node, 'last');
run_statement($node, 'last');
ok(wait_calls($node, 'last', 1), 'the twenty-first is learned from, with sixteen slots');
is(log_count($node, qr/PANIC|terminated by signal/), 0, 'no crash');

$node->stop;
done_testing();
