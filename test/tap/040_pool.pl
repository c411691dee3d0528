# The pool: reservations end with their processes, the capacity follows limits that are changed from outside.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use QueryShaperNode;

my $node = new_node('pool', 'query_shaper.min_cost = 1000', 'shared_buffers = 16MB', 'jit = off', 'max_parallel_workers = 5',
	"query_shaper.memory_pool = '1GB'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper; CREATE ROLE holder SUPERUSER LOGIN');
my $sort = 'SELECT md5(g::text) AS m FROM generate_series(1, 300000) g ORDER BY m';

sub capacity { return $node->safe_psql('postgres', "SELECT capacity FROM query_shaper.pool WHERE resource = '$_[0]'"); }

# A session that holds a reservation; its pid.
sub hold
{
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query_safe("SET ROLE holder; BEGIN; DECLARE c CURSOR FOR $sort; FETCH 1 FROM c");
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	is($node->safe_psql('postgres', "SELECT memory_kb > 0 AND expires IS NULL AND source = 'query' FROM query_shaper.reservations WHERE pid = $pid"),
		't', 'an open cursor holds a reservation');
	return ($session, $pid);
}

is(capacity('memory'), 1024 * 1024, 'the pool has what the configuration says');
is(capacity('workers'), 5, 'and as many workers as the server');

my ($session, $pid) = hold();
$node->safe_psql('postgres', 'DROP ROLE holder');
is($node->safe_psql('postgres', "SELECT usename IS NULL FROM query_shaper.reservations WHERE pid = $pid"), 't', 'a dropped role has no name');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
nothing_reserved($node, 'after pg_terminate_backend()');
eval { $session->quit };
$node->safe_psql('postgres', 'CREATE ROLE holder SUPERUSER LOGIN');

($session, $pid) = hold();
$session->query('ROLLBACK; SELECT 1 / 0');
nothing_reserved($node, 'after a rollback');
$session->quit;

($session, $pid) = hold();
$session->quit;
nothing_reserved($node, 'after a client that left');

# A pooler gives the session back by DISCARD ALL.
$node->safe_psql('postgres', "BEGIN; DECLARE c CURSOR WITH HOLD FOR $sort; COMMIT; DISCARD ALL; SELECT count(*) FROM query_shaper.reservations");
nothing_reserved($node, 'after DISCARD ALL');

# kill -9: every session ends and shared memory begins anew.
($session, $pid) = hold();
kill 9, $pid;
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'a killed session is gone');
eval { $session->quit };
ok(launcher_ready($node), 'the launcher is back');
nothing_reserved($node, 'after kill -9');
is(capacity('memory'), 1024 * 1024, 'and the capacity is back');

# A reload is followed.
$node->append_conf('postgresql.conf', "query_shaper.memory_pool = '300MB'\nmax_parallel_workers = 3");
$node->reload;
ok($node->poll_query_until('postgres', "SELECT capacity = 300 * 1024 FROM query_shaper.pool WHERE resource = 'memory'"), 'a reload changes the memory');
ok($node->poll_query_until('postgres', "SELECT capacity = 3 FROM query_shaper.pool WHERE resource = 'workers'"), 'and the workers');

# Scans that ask for blocks ahead hold requests: half of what is free, until their statement ends.
$node->safe_psql('postgres', 'CREATE TABLE wide WITH (fillfactor = 10) AS SELECT g AS id, hashint4(g) & 65535 AS k FROM generate_series(1, 50000) g; CREATE INDEX ON wide (k); VACUUM ANALYZE wide');
my @scans = map { $node->background_psql('postgres', on_error_stop => 0) } 1 .. 2;
my @depths = (256, 128);
for my $scan (@scans)
{
	$scan->query_safe("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET query_shaper.prefetch = on; SET query_shaper.fault = 'prefetch:force'");
	$scan->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT * FROM wide ORDER BY k; FETCH 2000 FROM c');
	my $holder = $scan->query_safe('SELECT pg_backend_pid()');
	is($node->safe_psql('postgres', "SELECT io_depth FROM query_shaper.reservations WHERE pid = $holder"), shift @depths, 'a scan holds half of the requests that are free');
}
is($scans[1]->query_safe('CLOSE c; SELECT count(*) > 0 FROM (SELECT * FROM wide ORDER BY k) s'), 't', 'and asks again for the next statement');
$_->quit for @scans;
ok($node->poll_query_until('postgres', "SELECT reserved = 0 FROM query_shaper.pool WHERE resource = 'io'"), 'and gives them back');

# Limits of control groups, in folders of their form.
my $groups = PostgreSQL::Test::Utils::tempdir;
chmod 0755, $groups;
my %files = (
	v1 => { limit => 'memory.limit_in_bytes', usage => 'memory.usage_in_bytes', stat => "total_inactive_file %d\ntotal_active_file 0\n" },
	v2 => { limit => 'memory.max', usage => 'memory.current', stat => "inactive_file %d\nactive_file 0\n" });
my $mb = 1024 * 1024;

sub set_group
{
	my ($version, $limit, $usage, $cache) = @_;
	my $file = $files{$version};
	write_file("$groups/$version/$file->{limit}", "$limit\n");
	write_file("$groups/$version/$file->{usage}", "$usage\n");
	write_file("$groups/$version/memory.stat", sprintf($file->{stat}, $cache));
}

# Whole at once, as the kernel's files are.
sub write_file
{
	my ($path, $text) = @_;
	open(my $out, '>', "$path.new") or die "$path: $!";
	print $out $text;
	close $out;
	rename("$path.new", $path) or die "$path: $!";
}

for my $version ('v1', 'v2')
{
	mkdir "$groups/$version";
	set_group($version, 512 * $mb, 100 * $mb, 0);
	$node->append_conf('postgresql.conf', "query_shaper.memory_pool = auto\nquery_shaper.fake_group = '$groups/$version'");
	$node->reload;
	# Less shared buffers.
	my $shown = "SELECT capacity = %d * 1024 FROM query_shaper.pool WHERE resource = 'memory'";
	ok($node->poll_query_until('postgres', sprintf($shown, 512 - 16)), "$version: auto takes the limit of the group");
	set_group($version, 256 * $mb, 100 * $mb, 0);
	my $changed = time;
	ok($node->poll_query_until('postgres', sprintf($shown, 256 - 16)), "$version: a lowered limit is followed");
	note(sprintf('followed after %.2f s', time - $changed));
	# What is not there is not given, whatever the limit; page cache gives way.
	set_group($version, 256 * $mb, 250 * $mb, 0);
	ok($node->poll_query_until('postgres', "SELECT free = 6 * 1024 FROM query_shaper.pool WHERE resource = 'memory'"), "$version: free is what is really there");
	set_group($version, 256 * $mb, 250 * $mb, 200 * $mb);
	ok($node->poll_query_until('postgres', "SELECT free = (256 - 50) * 1024 OR free = (256 - 16) * 768 FROM query_shaper.pool WHERE resource = 'memory'"),
		"$version: and page cache gives way");
	# A limit raised while a statement waits lets it go on.
	set_group($version, 24 * $mb, 1 * $mb, 0);
	ok($node->poll_query_until('postgres', sprintf($shown, 24 - 16)), "$version: a pool too small");
	($session, $pid) = hold();
	my ($second) = hold();
	my ($waiter) = begin_statement($node, "SELECT count(*) FROM ($sort OFFSET 0) s",
		"SET query_shaper.admission = on; SET query_shaper.admission_min_time = 0; SET query_shaper.admission_timeout = '1h'");
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM query_shaper.activity WHERE state = 'queued'"), "$version: a statement waits");
	set_group($version, 512 * $mb, 1 * $mb, 0);
	ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM query_shaper.activity WHERE state = 'queued'"), "$version: until the limit is raised");
	$waiter->quit;
	$session->quit;
	$second->quit;
	nothing_reserved($node, "at the end of $version");
}

# The real thing, where the server's user may write it.
SKIP:
{
	my $group = "/sys/fs/cgroup/memory/query_shaper_test_$$";
	skip 'no memory control group (v1) that this user may make', 1 unless mkdir $group;
	$node->append_conf('postgresql.conf', "query_shaper.fake_group = ''");
	$node->reload;
	open(my $procs, '>', "$group/cgroup.procs") or skip 'no process can be moved there', 1;
	my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	syswrite($procs, "$postmaster\n");
	write_limit($group, 700 * $mb);
	ok($node->poll_query_until('postgres', "SELECT capacity = (700 - 16) * 1024 FROM query_shaper.pool WHERE resource = 'memory'"), 'a real group is found and followed');
	$node->stop;
	rmdir $group;
	$node->start;
}

sub write_limit
{
	my ($group, $bytes) = @_;
	open(my $out, '>', "$group/memory.limit_in_bytes") or die $!;
	syswrite($out, "$bytes\n");
	close $out;
}

$node->stop;
done_testing();
