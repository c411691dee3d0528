# Damaged models, no worker slots, tables that cannot be written: counted and told, and queries run.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

sub metric
{
	my ($node, $name) = @_;
	return $node->safe_psql('postgres', "SELECT coalesce(sum(value), 0) FROM query_shaper.metrics WHERE name LIKE '%$name%'");
}

my $node = new_node('damage');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($node, 'postgres');
run_statement($node, 'postgres', 3);
flush($node, 'postgres');
my $length = $node->safe_psql('postgres', "SELECT length(state) FROM query_shaper.model_data WHERE name = 'models'");
cmp_ok($length, '>', 1000, 'models are stored');

for my $damage (
	[ 'flipped bytes', 'set_byte(state, length(state) / 2, 255 - get_byte(state, length(state) / 2))' ],
	[ 'truncation', 'substr(state, 1, 100)' ],
	[ 'no bytes', "''::bytea" ],
	[ 'foreign bytes', "decode(repeat('ab', 40000), 'hex')" ])
{
	my ($what, $expression) = @$damage;
	$node->safe_psql('postgres', "UPDATE query_shaper.model_data SET state = $expression WHERE name = 'models'");
	my $offset = -s $node->logfile;
	$node->restart;
	run_statement($node, 'postgres', 2);
	flush($node, 'postgres');
	is(log_count($node, qr/stored models are corrupt/, $offset), 1, "$what: logged once");
	is(metric($node, 'models_corrupt'), 1, "$what: counted");
	is($node->safe_psql('postgres', "SELECT length(state) FROM query_shaper.model_data WHERE name = 'models'"), $length, "$what: models are written anew");
	$offset = -s $node->logfile;
	$node->restart;
	run_statement($node, 'postgres');
	flush($node, 'postgres');
	is(log_count($node, qr/stored models are corrupt/, $offset), 0, "$what: sound after that");
}
my $calls = 3 + 4 * 3;
ok(wait_calls($node, 'postgres', $calls), 'no run was lost to damaged models');

# Profiles.
$node->safe_psql('postgres', "UPDATE query_shaper.profile_data SET state = set_byte(state, 30, 255 - get_byte(state, 30))");
my $offset = -s $node->logfile;
$node->restart;
flush($node, 'postgres');
run_statement($node, 'postgres');
flush($node, 'postgres');
++$calls;
is(log_count($node, qr/stored profiles are corrupt/, $offset), 1, 'damaged profiles are logged once');
is(seen_of($node, 'postgres') + 0, 0, 'their statements are learned anew');
run_statement($node, 'postgres');
flush($node, 'postgres');
++$calls;
cmp_ok(seen_of($node, 'postgres'), '>', 0.9, 'and known from then on');

# Learned rows and known plans.
run_correlated($node, 'postgres');
flush($node, 'postgres');
$node->safe_psql('postgres', "INSERT INTO query_shaper.known_plan_data VALUES (42, now(), 'foreign')");
$node->safe_psql('postgres', "UPDATE query_shaper.row_estimate_data SET state = set_byte(state, 40, 255 - get_byte(state, 40))");
my $damaged = $node->safe_psql('postgres', 'SELECT count(*) FROM query_shaper.row_estimate_data');
cmp_ok($damaged, '>', 0, 'learned rows are stored');
$offset = -s $node->logfile;
$node->restart;
flush($node, 'postgres');
is(log_count($node, qr/stored row counts or plans are corrupt/, $offset), 1, 'damaged row counts are logged once');
is(metric($node, 'models_corrupt'), $damaged + 1, 'and counted');
cmp_ok(estimate_of($node, 'postgres'), '<', 20, 'planning goes on without them');
is($node->safe_psql('postgres', 'SELECT count(*) FROM query_shaper.known_plan_data WHERE query_id = 42'), 0, 'damaged plans are removed');
run_correlated($node, 'postgres');
is(estimate_of($node, 'postgres'), 400, 'they are learned anew');

# The learner cannot write: the error is its own, queries run, and it comes back by itself.
$node->safe_psql('postgres', 'ALTER TABLE query_shaper.history_data ADD CONSTRAINT refuse CHECK (query IS NULL) NOT VALID');
$offset = -s $node->logfile;
run_statement($node, 'postgres');
my ($status, $out, $err) = $node->psql('postgres', 'SELECT query_shaper.flush()');
isnt($status, 0, 'flush fails when the learner cannot write');
like($err, qr/could not store what was learned/, 'and says so');
like($err, qr/server log/, 'and where to look');
cmp_ok(metric($node, 'learner_failures'), '>=', 1, 'the failure is counted');
is($node->psql('postgres', sprintf $QueryShaperNode::statement, 3), 0, 'queries run');
$node->safe_psql('postgres', 'ALTER TABLE query_shaper.history_data DROP CONSTRAINT refuse');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM query_shaper.flush()'), 'the learner is started again');
my $before = $node->safe_psql('postgres', "SELECT sum(calls) FROM query_shaper.history_data WHERE query LIKE '%sum(v)%sample%'");
ok(wait_calls($node, 'postgres', $calls), 'what had been stored before is there');
run_statement($node, 'postgres');
ok(wait_calls($node, 'postgres', $before + 1), 'learning goes on');

# A table is missing, as where the extension is older than the library: no try after try, and nobody waits for ever.
my $away = 'ALTER TABLE query_shaper.access_pattern_data RENAME TO away';
my $back = 'ALTER TABLE query_shaper.away RENAME TO access_pattern_data';
$node->safe_psql('postgres', $away);
$node->restart;
$offset = -s $node->logfile;
($status, $out, $err) = $node->psql('postgres', "SET statement_timeout = '60s'; SELECT query_shaper.flush()");
like($err, qr/could not store what was learned/, 'flush fails where a table is missing');
cmp_ok(log_count($node, qr/"query_shaper.access_pattern_data" does not exist/, $offset), '>=', 1, 'the log says which');
cmp_ok(metric($node, 'learner_failures'), '>=', 1, 'the learner has ended');
$node->safe_psql('postgres', $back);
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM query_shaper.flush()'), 'and comes back when it is there');
$node->stop;

# All worker slots are taken by the launcher.
my $narrow = new_node('narrow', 'max_worker_processes = 1', 'max_logical_replication_workers = 0');
$narrow->start;
$narrow->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($narrow, 'postgres');
run_statement($narrow, 'postgres', 3);
ok($narrow->poll_query_until('postgres', "SELECT sum(value) > 0 FROM query_shaper.metrics WHERE name LIKE '%no_worker_slot%'"),
	'a missing worker slot is counted');
is($narrow->psql('postgres', sprintf $QueryShaperNode::statement, 3), 0, 'queries run without a learner');
($status, $out, $err) = $narrow->psql('postgres', 'SELECT query_shaper.flush()');
isnt($status, 0, 'flush fails without a learner');
like($err, qr/max_worker_processes/, 'and says which setting to raise');
# More outcomes than the ring holds.
$narrow->safe_psql('postgres',
	"DO \$\$ BEGIN FOR i IN 1 .. 500 LOOP PERFORM count(*) FROM sample WHERE k = i; END LOOP; END \$\$");
cmp_ok($narrow->safe_psql('postgres', "SELECT sum(value) FROM query_shaper.metrics WHERE name LIKE '%outcomes_dropped%'"),
	'>', 0, 'a full ring drops and counts');
$narrow->append_conf('postgresql.conf', 'max_worker_processes = 8');
$narrow->restart;
run_statement($narrow, 'postgres');
ok(wait_calls($narrow, 'postgres', 1), 'with worker slots learning starts');

# One slot, two databases.
my $few = new_node('few', 'query_shaper.max_databases = 1');
$few->start;
$few->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($few, 'postgres');
run_statement($few, 'postgres');
ok(wait_calls($few, 'postgres', 1), 'the first database has the slot');
$few->safe_psql('postgres', 'CREATE DATABASE second');
$few->safe_psql('second', 'CREATE EXTENSION query_shaper');
load_table($few, 'second');
run_statement($few, 'second');
ok($few->poll_query_until('postgres', "SELECT sum(value) > 0 FROM query_shaper.metrics WHERE name LIKE '%databases_full%'"),
	'a database without a slot is counted');
($status, $out, $err) = $few->psql('second', 'SELECT query_shaper.flush()');
like($err, qr/query_shaper\.max_databases/, 'and flush says which setting to raise');
is($few->safe_psql('second', "SELECT origin IS NOT NULL FROM query_shaper.predict('SELECT 1')"), 't', 'prediction works there from plan cost');
ok($few->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'query_shaper learner'"),
	'no learner is left that could see the extension go');
$few->safe_psql('postgres', 'DROP EXTENSION query_shaper');
run_statement($few, 'postgres');
# The learner frees the slot when it finds the extension gone; nobody has to tell the other database.
run_statement($few, 'second') for 1 .. 2;
ok($few->poll_query_until('second', 'SELECT count(*) = 1 FROM query_shaper.flush()'), 'a slot that is given back goes to who needs it');
run_statement($few, 'second');
ok(wait_calls($few, 'second', 1), 'who then learns');
is(log_count($_, qr/PANIC|terminated by signal/), 0, 'no crash') for $node, $narrow, $few;

$few->stop;
$narrow->stop;
done_testing();
