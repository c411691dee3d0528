# A parallel hash join that was given memory ends in the middle, while its table is built or probed: by an error in a
# worker, cancelled, with its session, by kill -9 of a worker. The pool gets back what it had, and the next run is right.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('parallel', 'query_shaper.min_cost = 1000', "query_shaper.memory_pool = '256MB'", "work_mem = '64kB'", 'hash_mem_multiplier = 1',
	'jit = off', 'query_shaper.learn_rows = off', 'query_shaper.replan = off', 'query_shaper.shadow = off', 'query_shaper.workers = off',
	'max_parallel_workers_per_gather = 2', 'min_parallel_table_scan_size = 0', 'parallel_setup_cost = 0', 'parallel_tuple_cost = 0',
	'enable_mergejoin = off', 'enable_nestloop = off', 'restart_after_crash = on');
$node->start;
# In workers a lock cannot be waited for by name: one that is seen is waited out.
$node->safe_psql('postgres', q{
CREATE EXTENSION query_shaper;
CREATE TABLE wide AS SELECT g AS id, md5(g::text) AS t FROM generate_series(1, 30000) g;
ANALYZE wide;
CREATE FUNCTION held(bool) RETURNS bool LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS $$
BEGIN
	WHILE $1 AND EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND granted) LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
	RETURN true;
END $$;
CREATE FUNCTION batches(statement text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, TIMING off, FORMAT json) ' || statement INTO plan;
	RETURN jsonb_path_query_first(plan, '$.** ? (@."Parallel Aware" == true)."Hash Batches"')::int;
END $$});
my $plain = 'SELECT count(a.t || b.t) FROM wide a JOIN wide b USING (id)';
# The same number of rows on both sides: the second is hashed.
my %amid = (build => "$plain WHERE CASE b.id WHEN 29000 THEN held(true) ELSE true END",
	probe => "$plain WHERE CASE a.id WHEN 29000 THEN held(true) ELSE true END");
my %faulty = (build => "$plain WHERE 1 / (b.id - 29000) IS NOT NULL", probe => "$plain WHERE 1 / (a.id - 29000) IS NOT NULL");
my $by_workers = 'SET parallel_leader_participation = off';

sub ask { return ask_aside($node, $_[0]); }
sub wait_for { return wait_aside($node, $_[0]); }
sub whole
{
	my ($when) = @_;
	nothing_reserved($node, $when);
	ok(wait_for("count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'parallel worker'"), "no worker is left $when");
	is($node->safe_psql('postgres', $plain), 30000, "the next run is right $when");
	# Advice may fail once, not three times in a row.
	my @batches = map { $node->safe_psql('postgres', "SELECT batches('$plain')") } 1 .. 3;
	ok((grep { $_ == 1 } @batches), "and has its memory again $when") or diag("batches: @batches");
	is($node->safe_psql('postgres', "$plain; SHOW work_mem"), "30000\n64kB", "under a setting that is what it was $when");
}

# A session whose statement is held in the middle: its pid, and that of the process that waits.
sub begin
{
	my ($session, $pid) = begin_statement($node, @_);
	ok(wait_for("count(*) > 0 FROM pg_stat_activity WHERE (leader_pid = $pid OR pid = $pid) AND wait_event = 'PgSleep'"), 'a row is waited for');
	cmp_ok(ask("SELECT memory_kb FROM query_shaper.reservations WHERE pid = $pid"), '>', 1000, 'with memory of the pool');
	is(ask("SELECT bool_or(memory_limit_kb > 64) FROM query_shaper.activity_nodes WHERE pid = $pid AND operator LIKE '%Hash'"), 't', 'for the hash table');
	my $waits = ask("SELECT max(pid) FROM pg_stat_activity WHERE leader_pid = $pid AND wait_event = 'PgSleep'");
	return ($session, $pid, $waits);
}

my $alone = ask("SELECT batches('$plain')");
cmp_ok($alone, '>', 1, 'the server alone spills') or diag($alone);
whole('at first');

for my $when ('build', 'probe')
{
	my ($code, $out, $error) = $node->psql('postgres', "$by_workers; $faulty{$when}");
	like($error, qr/division by zero.*CONTEXT:.*parallel worker/s, "$when: a worker fails");
	whole("after an error of a worker, $when");
	($code, $out, $error) = $node->psql('postgres', "$faulty{$when}; SHOW work_mem", on_error_stop => 0);
	like($error, qr/division by zero/, "$when: whoever meets it fails");
	is($out, '64kB', 'and the session has its own setting');

	my $lock = take_lock($node);
	for my $end ('pg_cancel_backend', 'pg_terminate_backend')
	{
		for my $by ($by_workers, 'SET parallel_leader_participation = on')
		{
			my ($session, $pid) = begin($amid{$when}, $by);
			is(ask("SELECT $end($pid)"), 't', "$when: $end");
			ok(wait_for("count(*) = 0 FROM pg_stat_activity WHERE (leader_pid = $pid OR pid = $pid) AND wait_event = 'PgSleep'"), 'all of its processes end');
			like(scalar $session->query('SHOW work_mem'), qr/^64kB$/m, 'the session has its own setting') if $end eq 'pg_cancel_backend';
			eval { $session->quit };
			ok(wait_for("reserved = 0 FROM query_shaper.pool WHERE resource = 'memory'"), 'nothing is reserved');
		}
		whole("after $end, $when");
	}

	my ($session, $pid, $worker) = begin($amid{$when}, $by_workers);
	like($worker, qr/^\d+$/, "$when: it is a worker that waits");
	kill 9, $worker;
	eval { $session->quit };
	eval { $lock->quit };
	ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid IN ($pid, $worker)"), 'the server begins anew');
	ok(launcher_ready($node), 'the launcher is back');
	whole("after kill -9 of a worker, $when");
}

is(log_count($node, qr/was terminated by signal 9/), 2, 'two were killed');
is(log_count($node, qr/PANIC|terminated by signal (?!9)|TRAP/), 0, 'no crash of its own');
$node->stop;
done_testing();
