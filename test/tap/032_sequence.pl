# The sequence model: trained by the learner, kept over a restart and a crash, damaged and trained anew, carried to other
# servers and to a standby.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('trained');
$node->start;
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('follower');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($node, 'postgres');

sub version { return $_[0]->safe_psql($_[1] // 'postgres', "SELECT version FROM query_shaper.models WHERE name = 'sequence'") }

sub metric
{
	my ($server, $name) = @_;
	return $server->safe_psql('postgres', "SELECT value FROM query_shaper.metrics WHERE name = '$name'");
}

# Statements of many shapes, each of a few milliseconds.
sub run_many
{
	my ($server, $database) = @_;
	my @outer = ('count(*)', 'sum(v)', 'max(id)', 'avg(v), min(id)');
	my @inner = (
		'SELECT * FROM sample WHERE k < %d',
		'SELECT * FROM sample WHERE k < %d ORDER BY v DESC',
		'SELECT k AS id, sum(v) AS v FROM sample WHERE id > 10 * %d GROUP BY k',
		'SELECT a.id, b.v FROM sample a JOIN sample b USING (id) WHERE a.k < %d',
		'SELECT DISTINCT id, v FROM sample WHERE k <> %d',
		'SELECT id, sum(v) OVER (PARTITION BY k ORDER BY id) AS v FROM sample WHERE k < %d');
	my @statements;
	for my $outer (@outer)
	{
		push @statements, "SELECT $outer FROM (" . sprintf($_, 20 + int rand 20) . ') s' for @inner;
	}
	$server->safe_psql($database, join(";\n", @statements));
}

srand 7;
is(version($node), 0, 'at first it is not trained');
is( $node->safe_psql('postgres', "SELECT count(*) FROM query_shaper.model_targets WHERE name = 'sequence' AND weight + weight_unseen > 0"),
	0, 'and weighs nothing');
run_many($node, 'postgres');
$node->safe_psql('postgres', 'SELECT query_shaper.train()');
# The learner may have been there before.
cmp_ok(version($node), '>=', 1, 'train() trains it');
cmp_ok(metric($node, 'sequence_lessons_total'), '>=', 24, 'on what ran');
my $members = "SELECT members -> 'time_ms' ? 'sequence' AND members -> 'memory_kb' ? 'sequence'"
  . ' FROM query_shaper.predict($$SELECT k, count(*) FROM sample GROUP BY k$$)';
is($node->safe_psql('postgres', $members), 't', 'it answers for a statement that nobody ran');
run_many($node, 'postgres');
flush($node, 'postgres');
cmp_ok(
	$node->safe_psql('postgres', "SELECT min(samples) FROM query_shaper.model_targets WHERE name = 'sequence'"),
	'>=', 20, 'and is scored on every target');

# Nobody asks: the learner trains by itself, in its slices.
my $rounds = metric($node, 'sequence_versions_total') + metric($node, 'sequence_rejected_total');
run_many($node, 'postgres');
ok($node->poll_query_until('postgres',
		"SELECT sum(value) > $rounds FROM query_shaper.metrics WHERE name IN ('sequence_versions_total', 'sequence_rejected_total')"),
	'it is trained again when enough is new');
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'query_shaper learner'"),
	'training keeps no learner alive');

# A learner that has ended since it was last needed is started again for a training alone.
{
	local $ENV{PGOPTIONS} = '-c query_shaper.mode=off';    # what looks must not give it work
	my $no_learner = "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'query_shaper learner'";
	$node->safe_psql('postgres', q{ALTER SYSTEM SET query_shaper.fault = 'ask-for-training:wait'});
	$node->reload;
	ok($node->poll_query_until('postgres', q{SELECT current_setting('query_shaper.fault') <> ''}), 'a fault is set');
	my ($session) = begin_statement($node, 'SELECT query_shaper.train()', "SET statement_timeout = '60s'");
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'train' AND wait_event = 'Extension' AND pid <> pg_backend_pid()"),
		'a training is about to be asked for');
	ok($node->poll_query_until('postgres', $no_learner), 'the learner has ended');
	$node->safe_psql('postgres', 'ALTER SYSTEM RESET query_shaper.fault');
	$node->reload;
	like($session->query_until(qr/over/, "\\echo over\n"), qr/over/, 'it is asked for');
	$session->quit;
	is(log_count($node, qr/canceling statement due to statement timeout/), 0, 'and does not wait for ever');
}

# What is stored is what was in use.
flush($node, 'postgres');
my $version = version($node);
$node->wait_for_catchup($standby);
ok($standby->poll_query_until('postgres', $members), 'a standby asks it');
ok($standby->poll_query_until('postgres', "SELECT version = $version FROM query_shaper.models WHERE name = 'sequence'"),
	'the version that its primary has');
# Answers rest on what is cached, which a restart changes; the trained model itself does not.
my $state = "SELECT md5(state) FROM query_shaper.model_data WHERE name = 'sequence'";
my $stored = $node->safe_psql('postgres', $state);
$node->restart;
flush($node, 'postgres');
is(version($node), $version, 'a restart keeps it');
kill_and_start($node);
run_statement($node, 'postgres');
flush($node, 'postgres');
is(version($node), $version, 'so does a crash');
is($node->safe_psql('postgres', $state), $stored, 'with every digit');

# Another server takes it over.
my $parcel = $node->safe_psql('postgres', 'SELECT query_shaper.export_knowledge()');
my $other = new_node('other');
$other->start;
$other->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
my $file = PostgreSQL::Test::Utils::tempdir() . '/parcel.json';
open(my $out, '>', $file) or die $!;
print $out $parcel;
close $out;
chmod 0644, $file;
$other->safe_psql('postgres', "SELECT query_shaper.import_knowledge(pg_read_file('$file')::jsonb)");
flush($other, 'postgres');
is(version($other), $version, 'import_knowledge() brings it');
my ($status, $stdout, $stderr) = $other->psql('postgres',
	"SELECT query_shaper.import_knowledge(replace(pg_read_file('$file'), '\"state\": \"UVNTUQ', '\"state\": \"UVNTUQAA')::jsonb)");
isnt($status, 0, 'damaged knowledge is refused');
$other->safe_psql('postgres', 'SELECT query_shaper.reset()');
flush($other, 'postgres');
is(version($other), 0, 'reset() forgets it');
$other->stop;

# Damage.
for my $damage ('set_byte(state, length(state) / 2, 255 - get_byte(state, length(state) / 2))', 'substr(state, 1, 100)')
{
	# One that is about to write would repair it.
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'query_shaper learner'");
	$node->safe_psql('postgres', "UPDATE query_shaper.model_data SET state = $damage WHERE name = 'sequence'");
	my $offset = -s $node->logfile;
	$node->restart;
	run_statement($node, 'postgres');
	flush($node, 'postgres');
	is(log_count($node, qr/stored sequence model is corrupt/, $offset), 1, 'damage is logged once');
	is(version($node), 0, 'and it starts anew');
	$node->restart;
	run_statement($node, 'postgres');
	flush($node, 'postgres');
	is(log_count($node, qr/stored sequence model is corrupt/, $offset), 1, 'no trace is left of it');
	run_many($node, 'postgres');
	$node->safe_psql('postgres', 'SELECT query_shaper.train()');
	cmp_ok(version($node), '>=', 1, 'it is trained anew');
}

# A learner that is killed while it trains leaves what it did to the next one.
run_many($node, 'postgres');
kill 'KILL', learner_pid($node, 'postgres');
ok($node->poll_query_until('postgres', 'SELECT true'), 'the server comes back');
run_many($node, 'postgres');
is($node->psql('postgres', 'SELECT query_shaper.train()'), 0, 'and trains');

# Failing, it fails alone.
my $offset = -s $node->logfile;
run_many($node, 'postgres');
$node->append_conf('postgresql.conf', "query_shaper.fault = 'train_sequence:throw'");
$node->reload;
run_many($node, 'postgres');
flush($node, 'postgres');
is($node->psql('postgres', 'SELECT query_shaper.train()'), 0, 'a training that fails ends');
cmp_ok(log_count($node, qr/could not train the sequence model/, $offset), '>=', 1, 'with a word in the log');
is($node->safe_psql('postgres', sprintf('SELECT count(*) FROM sample WHERE k = %d', 3)), 400, 'statements run');
is(log_count($_, qr/PANIC|terminated by signal 11/), 0, 'no crash') for $node, $standby;

$standby->stop;
$node->stop;
done_testing();
