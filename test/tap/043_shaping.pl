# Memory of nodes over the life of a server: what was learned of a node's need outlives a restart, prepared statements
# have theirs, a cancelled one leaves nothing behind, a pool that has nothing leaves statements as they are.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('shaping', 'query_shaper.min_cost = 0', "query_shaper.memory_pool = '256MB'", "work_mem = '256kB'", 'hash_mem_multiplier = 1',
	'jit = off', 'query_shaper.learn_rows = off', 'query_shaper.replan = off', 'query_shaper.shadow = off');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
$node->safe_psql('postgres', q{
CREATE TABLE notes (id int, t text);
INSERT INTO notes SELECT g, md5(g::text) FROM generate_series(1, 40000) g;
ANALYZE notes});
# The planner takes this for one row in 200: what the sort needs is known from its runs alone.
my $sort = "SELECT id, t FROM notes WHERE id * 0 = 0 ORDER BY t";

# Wanted by a statement before it runs.
sub wanted
{
	my ($statement) = @_;
	return $node->safe_psql('postgres',
		"BEGIN; DECLARE c CURSOR FOR $statement; SELECT coalesce(max(wanted_kb), 0) FROM query_shaper.reservations WHERE pid = pg_backend_pid()");
}

sub spilled_kb
{
	my ($statement, $settings) = @_;
	my $plan = $node->safe_psql('postgres', ($settings // '') . "EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) $statement");
	return $plan =~ /"Temp Written Blocks": (\d+)/ ? 8 * $1 : -1;
}

sub quiet
{
	my ($when) = @_;
	ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM query_shaper.reservations WHERE pid <> pg_backend_pid()'),
		"nothing is reserved $when");
}

cmp_ok(spilled_kb($sort, 'SET query_shaper.mode = off; '), '>', 0, 'the server alone spills');
my $before = wanted($sort);
cmp_ok($before, '<', 2000, 'planned small, little is wanted');
spilled_kb($sort) for 1 .. 2;
is(spilled_kb($sort), 0, 'once known, it does not spill');
# A cursor's query has a name of its own.
$node->safe_psql('postgres', "BEGIN; DECLARE c CURSOR FOR $sort; MOVE ALL IN c; CLOSE c; COMMIT");
cmp_ok(wanted($sort), '>', 3000, 'more is wanted now');
flush($node, 'postgres');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM query_shaper.memory_need_data'), '>', 0, 'needs are in the table');

$node->restart;
ok($node->poll_query_until('postgres', 'SELECT count(*) > 0 FROM query_shaper.history'), 'the server is back');
flush($node, 'postgres');
cmp_ok(wanted($sort), '>', 3000, 'the need outlives a restart');
is(spilled_kb($sort), 0, 'and so the first run after it does not spill');

# A crash.
$node->stop('immediate');
$node->start;
flush($node, 'postgres');
cmp_ok(wanted($sort), '>', 3000, 'and a crash');

# Damage.
flush($node, 'postgres');
$node->safe_psql('postgres', "SET query_shaper.mode = off; UPDATE query_shaper.memory_need_data SET state = set_byte(state, 24, 255 - get_byte(state, 24))");
$node->restart;
flush($node, 'postgres');
cmp_ok(log_count($node, qr/stored memory needs are corrupt/), '>', 0, 'damage is told');
cmp_ok(wanted($sort), '<', 2000, 'and not believed');
cmp_ok($node->safe_psql('postgres', "SELECT value FROM query_shaper.metrics WHERE name = 'models_corrupt_total'"), '>', 0, 'and counted');

# Prepared statements, also under a plan for any parameter.
for my $mode ('force_custom_plan', 'force_generic_plan')
{
	my $session = $node->background_psql('postgres');
	$session->query_safe("SET plan_cache_mode = $mode; PREPARE p(int) AS SELECT count(*) FROM (SELECT id, t FROM notes WHERE id * 0 = \$1 ORDER BY t OFFSET 0) s");
	is($session->query_safe('EXECUTE p(0)'), 40000, "$mode: first run") for 1 .. 3;
	$session->query_safe('SELECT pg_stat_force_next_flush()');
	my $were = $node->safe_psql('postgres', "SELECT pg_stat_get_db_temp_bytes(oid) FROM pg_database WHERE datname = 'postgres'");
	is($session->query_safe('EXECUTE p(0)'), 40000, "$mode: later run") for 1 .. 3;
	$session->query_safe('SELECT pg_stat_force_next_flush()');
	$session->query_safe('SELECT 1');
	is($node->safe_psql('postgres', "SELECT pg_stat_get_db_temp_bytes(oid) FROM pg_database WHERE datname = 'postgres'"), $were,
		"$mode: later runs spill nothing");
	is($session->query_safe('SHOW work_mem'), '256kB', "$mode: the session's own setting is what it was");
	$session->quit;
}
spilled_kb($sort) for 1 .. 2;
my ($code, $out, $error) = $node->psql('postgres',
	"SET statement_timeout = 20; SELECT count(*) FROM (SELECT a.t FROM notes a, generate_series(1, 40) g WHERE a.id * 0 = 0 ORDER BY a.t || g OFFSET 0) s; SHOW work_mem",
	on_error_stop => 0);
like($error, qr/statement timeout/, 'a sort is cancelled');
is($out, '256kB', 'and the session has its own setting');
quiet('after a cancelled sort');

# A pool that has next to nothing.
$node->safe_psql('postgres', "SET query_shaper.mode = off; SELECT query_shaper.flush()");
$node->append_conf('postgresql.conf', "query_shaper.memory_pool = '1MB'");
$node->reload;
ok( $node->poll_query_until('postgres', "SELECT capacity = 1024 FROM query_shaper.pool WHERE resource = 'memory'"),
	'the pool shrinks');
is($node->safe_psql('postgres', "SELECT count(*) FROM ($sort OFFSET 0) s"), 40000, 'the statement runs as it would alone');
cmp_ok(spilled_kb($sort), '>', 0, 'and spills');
flush($node, 'postgres');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM query_shaper.events WHERE action = 'reserve' AND verdict = 'declined'"), '>', 0,
	'which is told');
quiet('after that');

$node->safe_psql('postgres', 'SELECT query_shaper.reset()');
is($node->safe_psql('postgres', "SET query_shaper.mode = off; SELECT count(*) FROM query_shaper.memory_need_data"), 0, 'reset() forgets needs');
is(log_count($node, qr/PANIC|terminated by signal|TRAP/), 0, 'no crash');
$node->stop;
done_testing();
