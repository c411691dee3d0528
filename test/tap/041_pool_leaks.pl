# Nothing of the pool is left over, however statements end: on their own, by an error, cancelled, with their session, by
# kill -9. QUERY_SHAPER_LEAK_QUERIES (3000) says how many statements are run, QUERY_SHAPER_LEAK_KILLS (2) how many
# sessions are killed in the midst of it.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $queries = $ENV{QUERY_SHAPER_LEAK_QUERIES} // 3000;
my $kills = $ENV{QUERY_SHAPER_LEAK_KILLS} // 2;
my $clients = 8;
my $node = new_node('leaks', 'query_shaper.min_cost = 0', 'query_shaper.tick_interval = 1ms', "query_shaper.memory_pool = '24MB'",
	'query_shaper.admission = on', 'query_shaper.admission_min_time = 0', 'query_shaper.admission_timeout = 50ms', 'jit = off', 'log_statement = none',
	'restart_after_crash = on', 'fsync = off');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($node, 'postgres');
srand(1);

my $folder = PostgreSQL::Test::Utils::tempdir;
my %scripts = (
	sort => "\\set n random(100, 30000)\nSELECT count(*) FROM (SELECT v, id FROM sample WHERE id < :n ORDER BY v DESC OFFSET 0) s;\n",
	group => "SELECT count(*) FROM (SELECT id, count(*) FROM sample GROUP BY id OFFSET 0) s;\n",
	join => "SELECT count(*) FROM sample a JOIN sample b USING (id) WHERE a.k = b.k;\n",
	error => "DO \$\$ BEGIN PERFORM count(*) FROM (SELECT 1 / (id - 15000) AS x FROM sample ORDER BY v, x OFFSET 0) s; EXCEPTION WHEN division_by_zero THEN NULL; END \$\$;\n",
	cursor => "BEGIN;\nDECLARE c CURSOR FOR SELECT * FROM sample ORDER BY v;\nFETCH 5 FROM c;\nSAVEPOINT s;\nDECLARE d CURSOR FOR SELECT * FROM sample ORDER BY v DESC;\nFETCH 5 FROM d;\nROLLBACK TO s;\nCOMMIT;\n");
my @files;
for my $name (sort keys %scripts)
{
	my $file = "$folder/$name.sql";
	open(my $out, '>', $file) or die $!;
	print $out $scripts{$name};
	close $out;
	push @files, '-f', $file;
}

sub executed { return $node->safe_psql('postgres', "SELECT value FROM query_shaper.metrics WHERE name = 'reservations_total'"); }

sub quiet
{
	my ($when) = @_;
	ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pgbench'"), "$when: all is over");
	# What is asked with is tracked itself.
	is($node->safe_psql('postgres', "SET query_shaper.mode = off; SELECT reserved || ' ' || waiting FROM query_shaper.pool WHERE resource = 'memory'"),
		'0 0', "$when: nothing is reserved, nobody waits");
	is($node->safe_psql('postgres', "SET query_shaper.mode = off; SELECT count(*) FROM query_shaper.reservations"), 0, "$when: no reservation is left");
	is($node->safe_psql('postgres', "SET query_shaper.mode = off; SELECT sum(reserved) FROM query_shaper.pool"), 0, "$when: nor workers or requests");
}

# Until it is enough; pgbench ends with the first client that was ended, and is started again.
sub load
{
	my ($enough, $harm) = @_;
	my $rounds = 0;
	until ($enough->())
	{
		my $out = '';
		local $ENV{PGAPPNAME} = 'pgbench';
		my $run = IPC::Run::start(
			[ 'pgbench', '-n', '-c', $clients, '-j', 2, '-T', 5, '--random-seed', ++$rounds, '-h', $node->host, '-p', $node->port, @files, 'postgres' ],
			'<', \undef, '>', \$out, '2>', \$out, IPC::Run::timeout(600));
		$ENV{PGAPPNAME} = 'harm';
		while ($run->pumpable)
		{
			$harm->();
			eval { $run->pump_nb };
		}
		eval { $run->finish };
	}
}

# Cancels and ends sessions at random.
sub harm
{
	my $what = rand() < 0.9 ? 'pg_cancel_backend' : 'pg_terminate_backend';
	$node->psql('postgres', "SET query_shaper.mode = off; SELECT $what(pid) FROM pg_stat_activity WHERE application_name = 'pgbench' ORDER BY random() LIMIT 2");
}

# kill -9 makes the server begin anew.
sub kill_one
{
	my $pid = '';
	$node->psql('postgres', "SET query_shaper.mode = off; SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench' ORDER BY random() LIMIT 1", stdout => \$pid);
	return 0 unless $pid =~ /^\d+$/;
	return kill 9, $pid;
}

my $killed = 0;
load(
	sub { return $killed >= $kills },
	sub {
		harm();
		$killed += kill_one() if $killed < $kills && rand() < 0.05;
	});
ok(launcher_ready($node), 'the launcher is back');
quiet("after kill -9 of $killed sessions");

load(sub { return executed() >= $queries }, \&harm);
note(executed() . ' reservations');
quiet('after cancels and ended sessions');
cmp_ok($node->safe_psql('postgres', "SELECT value FROM query_shaper.metrics WHERE name = 'queued_total'"), '>', 0, 'some had waited in line');
cmp_ok($node->safe_psql('postgres', "SELECT value FROM query_shaper.metrics WHERE name = 'reservations_short_total'"), '>', 0, 'and some got less than they wanted');

cmp_ok(log_count($node, qr/canceling statement due to user request/), '>', 0, 'statements were cancelled');
is(log_count($node, qr/PANIC|terminated by signal (?!9)|TRAP/), 0, 'no crash of its own');
$node->stop;
done_testing();
