# What is shown of a reservation while its statement runs: what it wanted, was given and uses, to whom; and that nothing
# is left of it however the statement ends. Statements are held between two rows by an advisory lock, so that what is
# looked at does not move.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $pool_kb = 16 * 1024;
my $node = new_node('live', 'query_shaper.min_cost = 1000', "query_shaper.memory_pool = '${pool_kb}kB'", "work_mem = '256kB'", 'hash_mem_multiplier = 1',
	'jit = off', 'query_shaper.learn_rows = off', 'query_shaper.replan = off', 'query_shaper.shadow = off', 'query_shaper.tick_interval = 5ms',
	'restart_after_crash = on');
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION query_shaper;
CREATE TABLE notes AS SELECT g AS id, md5(g::text) AS t FROM generate_series(1, 40000) g;
ANALYZE notes;
CREATE ROLE plain LOGIN;
CREATE ROLE reader LOGIN IN ROLE pg_read_all_stats;
GRANT SELECT ON notes TO PUBLIC});

# Sorted, then held at one of its rows until the lock is free; what comes after that row is up to the case.
sub held { return "SELECT count(*) FROM (SELECT id, t FROM notes ORDER BY t OFFSET 0) s WHERE id <> 20000 OR pg_advisory_xact_lock_shared(1) IS NULL OR $_[0]"; }
my ($whole, $faulty) = (held('id > 0'), held('1 / (id - 20000) > 0'));

sub ask
{
	my ($sql, $role) = @_;
	return ask_aside($node, ($role ? "SET ROLE $role; " : '') . $sql);
}
sub wait_for { return wait_aside($node, $_[0]); }

my $lock = take_lock($node);
sub free_lock { $lock->query_safe('SELECT pg_advisory_unlock(1)'); }

# A session whose statement is held in the middle; its pid.
sub begin
{
	my ($sql, $role) = @_;
	my ($session, $pid) = begin_statement($node, $sql, $role ? "SET ROLE $role" : ());
	ok(wait_for("count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event = 'advisory'"), 'a statement is held');
	return ($session, $pid);
}
sub finish
{
	my ($session) = @_;
	my $output = $session->query_until(qr/over/, "\\echo over\n");
	$session->quit;
	return $output;
}
sub nothing_left
{
	my ($when) = @_;
	nothing_reserved($node, $when);
	is(ask("SELECT count(*) FROM query_shaper.activity"), 0, "nothing is active $when");
}

my ($session, $pid) = begin($whole);
is(ask("SELECT count(*) FROM query_shaper.reservations WHERE pid = $pid"), 1, 'it has one reservation');
is( ask("SELECT wanted_kb > 3000, memory_kb BETWEEN 3000 AND wanted_kb, source, expires IS NULL, usename = current_user, query_id <> 0, since <= now(), reservation IS NOT NULL FROM query_shaper.reservations WHERE pid = $pid"),
	't|t|query|t|t|t|t|t', 'which shows what it wanted and was given');
ok(wait_for("memory_kb > 3000 FROM query_shaper.activity WHERE pid = $pid"), 'it uses more than the settings allow');
is(ask("SELECT a.memory_granted_kb >= r.memory_kb AND r.memory_kb >= a.memory_kb, temp_kb FROM query_shaper.activity a JOIN query_shaper.reservations r USING (pid, query_id) WHERE pid = $pid"),
	't|0', 'what the sort did not need was given back, and the rest is in use');
is(ask("SELECT count(*) FROM query_shaper.activity_nodes WHERE pid = $pid AND operator = 'Sort' AND memory_kb > 3000 AND memory_limit_kb >= memory_kb"),
	1, 'the sort holds it, within its limit');
is( ask("SELECT reserved = (SELECT sum(memory_kb) FROM query_shaper.reservations), used = (SELECT sum(memory_kb) FROM query_shaper.activity), reserved + free <= capacity, capacity FROM query_shaper.pool WHERE resource = 'memory'"),
	"t|t|t|$pool_kb", 'the pool shows the same');
my $first = ask("SELECT reservation FROM query_shaper.reservations WHERE pid = $pid");

# More than there is: together never above the pool, and none above what it wanted.
my @more = map { [ begin($whole, $_ % 2 ? 'plain' : undef) ] } 1 .. 6;
is( ask("SELECT count(*), sum(memory_kb) = (SELECT reserved FROM query_shaper.pool WHERE resource = 'memory'), sum(memory_kb) <= $pool_kb, sum(wanted_kb) > $pool_kb, bool_and(memory_kb BETWEEN 0 AND wanted_kb) FROM query_shaper.reservations"),
	'7|t|t|t|t', 'seven want more than the pool has, and are not given more');
cmp_ok(ask('SELECT min(memory_kb) FROM query_shaper.reservations'), '<', 3000, 'some of them get less');
is(ask('SELECT count(DISTINCT reservation) FROM query_shaper.reservations'), 7, 'each under a name of its own');
is(ask("SELECT count(*) FROM query_shaper.reservations WHERE reservation = '$first'"), 1, 'which stays');

# Who sees what.
my $all = "SELECT count(*) FILTER (WHERE usename = 'plain'), count(*) FROM query_shaper.%s";
for my $view ('reservations', 'activity')
{
	is(ask(sprintf($all, $view), 'plain'), '3|3', "$view: an ordinary role sees its own alone");
	is(ask(sprintf($all, $view), 'reader'), '3|7', "$view: pg_read_all_stats sees all");
}
is(ask("SELECT reserved > 0 FROM query_shaper.pool WHERE resource = 'memory'", 'plain'), 't', 'the pool is for all to see');
is( ask("SELECT count(*) FROM query_shaper.reservations WHERE CASE WHEN usename <> 'plain' THEN 1 / (pid - pid) = 0 ELSE true END", 'plain'),
	3, 'a condition does not see what the view leaves out');

free_lock();
like(finish($_), qr/^40000$/m, 'it ends') for $session, map { $_->[0] } @more;
nothing_left('after statements that ended');

$lock->query_safe('SELECT pg_advisory_lock(1)');
($session, $pid) = begin($faulty);
cmp_ok(ask("SELECT memory_kb FROM query_shaper.reservations WHERE pid = $pid"), '>', 3000, 'it has a reservation');
free_lock();
finish($session);
like($session->{stderr}, qr/division by zero/, 'it fails');
nothing_left('after an error');

$lock->query_safe('SELECT pg_advisory_lock(1)');
for my $end ('pg_cancel_backend', 'pg_terminate_backend')
{
	($session, $pid) = begin($whole);
	cmp_ok(ask("SELECT memory_kb FROM query_shaper.reservations WHERE pid = $pid"), '>', 3000, 'it has a reservation');
	is(ask("SELECT $end($pid)"), 't', $end);
	ok(wait_for("count(*) = 0 FROM pg_stat_activity WHERE pid = $pid AND wait_event = 'advisory'"), 'it ends');
	nothing_left("after $end");
	like(scalar $session->query('SHOW work_mem'), qr/^256kB$/m, 'its session has its own setting') if $end eq 'pg_cancel_backend';
	eval { $session->quit };
}

($session, $pid) = begin($whole);
cmp_ok(ask("SELECT memory_kb FROM query_shaper.reservations WHERE pid = $pid"), '>', 3000, 'it has a reservation');
kill 9, $pid;
eval { $session->quit };
eval { $lock->quit };
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'a killed session is gone');
ok(launcher_ready($node), 'the launcher is back');
nothing_left('after kill -9');
is(ask("SELECT capacity FROM query_shaper.pool WHERE resource = 'memory'"), $pool_kb, 'and the capacity is back');
is($node->safe_psql('postgres', $whole), 40000, 'the next run answers');
nothing_left('after it');

is(log_count($node, qr/PANIC|terminated by signal (?!9)|TRAP/), 0, 'no crash of its own');
$node->stop;
done_testing();
