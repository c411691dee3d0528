# Nothing of the pool is left over, however statements end: on their own, by an error, cancelled, with their session, by
# kill -9. QUERY_SHAPER_LEAK_QUERIES (3000) says how many statements are run, QUERY_SHAPER_LEAK_KILLS (2) how many
# sessions are killed in the midst of it.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use POSIX ();
use QueryShaperNode;

my $queries = $ENV{QUERY_SHAPER_LEAK_QUERIES} // 3000;
my $kills = $ENV{QUERY_SHAPER_LEAK_KILLS} // 2;
my $clients = 8;
my $node = new_node('leaks', 'query_shaper.min_cost = 0', 'query_shaper.tick_interval = 1ms', "query_shaper.memory_pool = '3MB'",
	'query_shaper.admission = on', 'query_shaper.admission_min_time = 0', 'query_shaper.admission_timeout = 50ms', 'jit = off', 'log_statement = none',
	'restart_after_crash = on', 'fsync = off');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($node, 'postgres');
srand(1);

my $folder = PostgreSQL::Test::Utils::tempdir;

# Of a session's script: how many rows is drawn evenly over the powers, so that most are short.
sub rows { return int(300 * 100**rand()); }
my @kinds = (
	sub { return sprintf 'SELECT count(*) FROM (SELECT v, id FROM sample WHERE id < %d ORDER BY v DESC OFFSET 0) s;', rows() },
	sub { return sprintf 'SELECT count(*) FROM (SELECT id, count(*) FROM sample WHERE id < %d GROUP BY id OFFSET 0) s;', rows() },
	sub { return sprintf 'SELECT count(*) FROM sample a JOIN sample b USING (id) WHERE a.k = b.k AND a.id < %d;', rows() },
	sub { return 'SELECT count(*) FROM (SELECT 1 / (id - 15000) AS x FROM sample ORDER BY v, x OFFSET 0) s;' },
	sub {
		my $n = rows();
		return "BEGIN;\nDECLARE c CURSOR FOR SELECT * FROM sample WHERE id < $n ORDER BY v;\nFETCH 5 FROM c;\nSAVEPOINT s;\n"
		  . "DECLARE d CURSOR FOR SELECT * FROM sample WHERE id < $n ORDER BY v DESC;\nFETCH 5 FROM d;\nROLLBACK TO s;\nCOMMIT;";
	});

sub write_script
{
	my ($number) = @_;
	my $file = "$folder/$number.sql";
	open(my $out, '>', $file) or die $!;
	print $out $kinds[ int(rand(@kinds)) ]->(), "\n" for 1 .. 400;
	close $out;
	return $file;
}
my @files = map { write_script($_) } 1 .. 3 * $clients;

sub executed { return $node->safe_psql('postgres', "SELECT value FROM query_shaper.metrics WHERE name = 'reservations_total'"); }

sub quiet
{
	my ($when) = @_;
	ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'load'"), "$when: all is over");
	# What is asked with is tracked itself.
	is($node->safe_psql('postgres', "SET query_shaper.mode = off; SELECT reserved || ' ' || waiting FROM query_shaper.pool WHERE resource = 'memory'"),
		'0 0', "$when: nothing is reserved, nobody waits");
	is($node->safe_psql('postgres', "SET query_shaper.mode = off; SELECT count(*) FROM query_shaper.reservations"), 0, "$when: no reservation is left");
	is($node->safe_psql('postgres', "SET query_shaper.mode = off; SELECT sum(reserved) FROM query_shaper.pool"), 0, "$when: nor workers or requests");
}

# One session after the other: psql goes on after errors and cancels, and ends with its connection.
sub start_session
{
	my $file = $files[ int(rand(@files)) ];
	my $pid = fork() // die "could not fork: $!";
	return $pid if $pid;
	$ENV{PGAPPNAME} = 'load';
	open(STDIN, '<', '/dev/null');
	open(STDOUT, '>', '/dev/null');
	open(STDERR, '>&', \*STDOUT);
	exec('psql', '-X', '-q', '-h', $node->host, '-p', $node->port, '-f', $file, 'postgres') or POSIX::_exit(1);
}

# Until it is enough, harm is done again and again, with so many sessions at work.
sub load
{
	my ($enough, $harm) = @_;
	my %sessions;
	until ($enough->())
	{
		for my $pid (keys %sessions)
		{
			delete $sessions{$pid} if waitpid($pid, POSIX::WNOHANG()) != 0;
		}
		while (keys %sessions < $clients) { $sessions{ start_session() } = 1 }
		$harm->();
	}
	$node->psql('postgres', "SET query_shaper.mode = off; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'load'");
	waitpid($_, 0) for keys %sessions;
}

# Cancels and ends sessions at random for some seconds, from one session: a new one for each would take the time of the load.
sub harm
{
	my ($seconds) = @_;
	$node->psql('postgres', <<"EOT");
SET query_shaper.mode = off;
DO \$\$
DECLARE
	finish timestamptz := clock_timestamp() + interval '$seconds s';
BEGIN
	WHILE clock_timestamp() < finish LOOP
		PERFORM pg_stat_clear_snapshot();
		PERFORM CASE WHEN random() < 0.95 THEN pg_cancel_backend(pid) ELSE pg_terminate_backend(pid) END
			FROM (SELECT pid FROM pg_stat_activity WHERE application_name = 'load' ORDER BY random() LIMIT 2) s;
		PERFORM pg_sleep(0.1 * random());
	END LOOP;
END \$\$;
EOT
}

# kill -9 makes the server begin anew.
sub kill_one
{
	my $pid = '';
	$node->psql('postgres', "SET query_shaper.mode = off; SELECT pid FROM pg_stat_activity WHERE application_name = 'load' ORDER BY random() LIMIT 1", stdout => \$pid);
	return 0 unless $pid =~ /^\d+$/;
	return kill 9, $pid;
}

my $killed = 0;
load(
	sub { return $killed >= $kills },
	sub {
		harm(rand());
		$killed += kill_one() if $killed < $kills;
		$node->poll_query_until('postgres', 'SELECT true');
	});
ok(launcher_ready($node), 'the launcher is back');
quiet("after kill -9 of $killed sessions");

load(sub { return executed() >= $queries }, sub { harm(3) });
note(executed() . ' reservations');
quiet('after cancels and ended sessions');
cmp_ok($node->safe_psql('postgres', "SELECT value FROM query_shaper.metrics WHERE name = 'queued_total'"), '>', 0, 'some had waited in line');
cmp_ok($node->safe_psql('postgres', "SELECT value FROM query_shaper.metrics WHERE name = 'reservations_short_total'"), '>', 0, 'and some got less than they wanted');

cmp_ok(log_count($node, qr/canceling statement due to user request/), '>', 0, 'statements were cancelled');
is(log_count($node, qr/PANIC|terminated by signal (?!9)|TRAP/), 0, 'no crash of its own');
$node->stop;
done_testing();
