# Statements of low priority give way to others while they run, and are raised again.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('give_way', 'query_shaper.min_cost = 1000', 'jit = off', 'query_shaper.replan = off', 'query_shaper.shadow = off', 'log_statement = none',
	'max_connections = 60', 'parallel_setup_cost = 0', 'parallel_tuple_cost = 0', 'min_parallel_table_scan_size = 0');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper; CREATE TABLE locked (n int)');
load_table($node, 'postgres');
# Goes on for minutes, row by row.
my $endless = 'SELECT count(*) FROM sample a, sample b, sample c WHERE a.v + b.v + c.v < 0';
my $look = 'SET query_shaper.mode = off; SET query_shaper.admission_priority = -1000; ';
my $low = 'SET query_shaper.admission_priority = -10';

sub ask { return $node->safe_psql('postgres', $look . $_[0]); }
sub wait_for { return $node->poll_query_until('postgres', "SELECT $_[0]"); }
sub metric { return ask("SELECT value FROM query_shaper.metrics WHERE name = '$_[0]'"); }

# A session in the middle of a statement; its pid.
sub begin
{
	my ($session, $pid) = begin_statement($node, @_);
	ok(wait_for("count(*) > 0 FROM query_shaper.activity WHERE pid = $pid"), 'it runs');
	return ($session, $pid);
}
sub finish
{
	my ($session, $pid) = @_;
	ask("SELECT pg_terminate_backend($pid)");
	eval { $session->quit };
	ok(wait_for("count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'it has ended');
}
sub share { return "(SELECT min(time_share) FROM query_shaper.activity WHERE pid = $_[0])"; }

my ($session, $pid) = begin($endless, $low);
# Ticks have passed.
ok(wait_for("elapsed > '500 ms' FROM query_shaper.activity WHERE pid = $pid"), 'for a while');
is(ask('SELECT ' . share($pid)), 1, 'alone it runs at full speed');
is(metric('giving_way_ms_total'), 0, 'and has not rested');

my $processors = `nproc` + 0;
my @others = map { [ begin($endless) ] } 1 .. 2 * $processors;
ok(wait_for(share($pid) . ' < 0.5'), 'beside others it gives way');
is(ask("SELECT count(*) FROM query_shaper.activity WHERE pid <> $pid AND time_share < 1"), 0, 'they do not');
ok(wait_for("value > 500 FROM query_shaper.metrics WHERE name = 'giving_way_ms_total'"), 'it rests');
# What it takes of the processors, beside one of the others.
my @before = map { cpu_ticks($_) } $pid, $others[0][1];
ok(wait_for("value > $_ FROM query_shaper.metrics WHERE name = 'giving_way_ms_total'"), 'and rests') for metric('giving_way_ms_total') + 2000;
my @after = map { cpu_ticks($_) } $pid, $others[0][1];
my @took = map { $after[$_] - $before[$_] } 0, 1;
note("ticks of the processor: low $took[0], high $took[1]");
cmp_ok($took[0], '<', 0.6 * $took[1], 'it takes less of the processors than another');

# Held and let go, cancelled, timed out in between.
is(ask("SELECT query_shaper.pause($pid)"), 't', 'it can be paused');
ok(wait_for("state = 'paused' FROM query_shaper.activity WHERE pid = $pid"), 'and is');
is(ask("SELECT query_shaper.resume($pid)"), 't', 'and resumed');
ok(wait_for("state = 'running' FROM query_shaper.activity WHERE pid = $pid"), 'and goes on');
ask("SELECT pg_cancel_backend($pid)");
ok($node->poll_query_until('postgres', "SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $pid"), 'it can be cancelled');
finish($session, $pid);
my ($ret, $out, $err) = $node->psql('postgres', "$low; SET statement_timeout = '2s'; $endless");
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout ends it');

# Whose locks others wait for does not rest.
($session, $pid) = begin($endless, $low, 'BEGIN', 'LOCK TABLE locked');
my $waiter = $node->background_psql('postgres', on_error_stop => 0);
$waiter->query_until(qr/begun/, "\\echo begun\nSELECT * FROM locked;\n");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted"), 'somebody waits for its lock');
sleep_until_still();
pass('it does not rest meanwhile');
finish($session, $pid);
$waiter->quit;

# Right answers, and what EXPLAIN says.
my $quick = 'SELECT count(*), sum(a.v) FROM sample a JOIN sample b USING (k) WHERE a.id % 2 = 0';
my $answer = ask($quick);
is($node->safe_psql('postgres', "$low; $quick"), $answer, 'the answer is right');
is($node->safe_psql('postgres', "$low; SET max_parallel_workers_per_gather = 2; $quick"), $answer, 'of a parallel plan, too');
like($node->safe_psql('postgres', "$low; EXPLAIN (ANALYZE) $quick"), qr/Gave Way: \d+ ms/, 'EXPLAIN tells how long it rested');
unlike($node->safe_psql('postgres', "$low; SET query_shaper.give_way = off; EXPLAIN (ANALYZE) $quick"), qr/Gave Way/, 'it does not where it is turned off');
unlike($node->safe_psql('postgres', "$low; SET query_shaper.give_way = advise; EXPLAIN (ANALYZE) $quick"), qr/Gave Way/, 'nor where it is advice');

# Raised again.
($session, $pid) = begin($endless, $low);
ok(wait_for(share($pid) . ' < 0.5'), 'it gives way');
finish(@$_) for @others;
ok(wait_for(share($pid) . ' = 1'), 'and is raised when the load has fallen');
my $rested = metric('giving_way_ms_total');
ok(wait_for("elapsed > interval '500 ms' + '" . ask("SELECT elapsed FROM query_shaper.activity WHERE pid = $pid") . "' FROM query_shaper.activity WHERE pid = $pid"), 'it goes on');
is(metric('giving_way_ms_total'), $rested, 'without rests');
finish($session, $pid);

$node->safe_psql('postgres', 'SELECT query_shaper.flush()');
for my $told ('slow done', 'slow declined', 'slow advised', 'raise done')
{
	my ($action, $verdict) = split / /, $told;
	cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM query_shaper.events WHERE action = '$action' AND verdict = '$verdict'"), '>', 0, "event: $told");
}

# Ordinary roles neither raise themselves nor escape by their mode.
$node->safe_psql('postgres', 'CREATE ROLE ordinary LOGIN; ALTER ROLE ordinary SET query_shaper.admission_priority = -10; GRANT SELECT ON sample TO ordinary');
($ret, $out, $err) = $node->psql('postgres', 'SET query_shaper.admission_priority = 0', extra_params => [ '-U', 'ordinary' ]);
like($err, qr/permission denied/, 'an ordinary role does not raise itself');

is(log_count($node, qr/PANIC|terminated by signal|TRAP/), 0, 'no crash');
$node->stop;
done_testing();

sub cpu_ticks
{
	my ($of) = @_;
	my @fields = split / /, (slurp_file("/proc/$of/stat") =~ s/.*\) //sr);
	return $fields[11] + $fields[12];
}

# Until the rests have not grown between two looks that are half a second of the statement's time apart.
sub sleep_until_still
{
	my $still = 0;
	for (1 .. 100)
	{
		my $rests = metric('giving_way_ms_total');
		my $elapsed = ask("SELECT extract(epoch FROM elapsed) FROM query_shaper.activity WHERE pid = $pid");
		wait_for("extract(epoch FROM elapsed) > $elapsed + 0.5 FROM query_shaper.activity WHERE pid = $pid");
		$still = metric('giving_way_ms_total') == $rests;
		last if $still;
	}
	ok($still, 'rests do not grow');
	return;
}
