# Extents staged ahead of a session's next statement: read while the client thinks, in bounds, shown to their owner alone,
# beside DROP, TRUNCATE, rewrites and DROP DATABASE; stagers that fail, are ended or killed leave every answer right.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

# So long stagers are killed; some rounds when not set.
my $kill_seconds = $ENV{QUERY_SHAPER_KILL_SECONDS} // 0;

my $node = new_node('staging', 'shared_buffers = 16MB', 'query_shaper.prefetch = on', 'query_shaper.prefetch_stagers = 2',
	"query_shaper.fault = 'prefetch:force'", 'query_shaper.min_cost = 1000000000', 'query_shaper.late_tracking = 0',
	'enable_seqscan = off', 'enable_bitmapscan = off', 'enable_indexonlyscan = off', 'jit = off');
$node->start;
sub load
{
	my ($database, $table) = @_;
	$node->safe_psql($database, "CREATE TABLE $table AS SELECT g AS id, repeat('x', 300) AS t FROM generate_series(1, 60000) g;"
		  . " CREATE INDEX ${table}_id ON $table (id); VACUUM ANALYZE $table");
}
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper; CREATE ROLE watcher LOGIN; CREATE ROLE stranger LOGIN;'
	. ' ALTER SYSTEM SET query_shaper.prefetch_stagers = 2');
load('postgres', $_) for qw(pages other lost);

sub metric
{
	return $node->safe_psql('postgres', "SELECT value FROM query_shaper.metrics WHERE name = '$_[0]'");
}

# A user who leafs through a table, and looks something up elsewhere in between. Tells the last page's sum; each is
# checked. Room is made in shared buffers by what is read in between.
my $page = 0;
sub page_sum
{
	my ($from) = @_;
	return (2 * $from + 1000) * 1001 / 2;
}
# As long as stagers need.
sub think
{
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM query_shaper.staging WHERE state IN ('wanted', 'reading')");
}
sub leaf
{
	my ($session, $table, $pages, $hasty) = @_;
	my $wrong = 0;
	for (1 .. $pages)
	{
		$page = ($page + 1) % 55;
		my $from = $page * 1000 + 1;
		my $sum = $session->query("SELECT sum(id) FROM $table WHERE id BETWEEN $from AND $from + 1000");
		++$wrong unless $sum eq page_sum($from);
		$session->query('SELECT count(t) FROM other WHERE id < 50000');
		think() unless $hasty || $table ne 'pages';
	}
	return $wrong;
}

my $session = $node->background_psql('postgres');
is(leaf($session, 'pages', 12), 0, 'every page is right');
ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM query_shaper.staging WHERE relation = 'pages' AND state = 'staged'"), 'the next page is staged');
is($node->safe_psql('postgres', "SELECT bool_and(blocks > 0 AND first_block >= 0 AND likelihood BETWEEN 0 AND 1 AND hits >= 0) FROM query_shaper.staging"), 't', 'its figures make sense');
cmp_ok($node->safe_psql('postgres', 'SELECT sum(blocks) FROM query_shaper.staging'), '<=', 2048 / 8, 'in bounds');
cmp_ok(metric('staged_blocks_total'), '>', 0, 'stagers have read blocks');
my $hits = metric('staged_hits_total');
$page = 12;
is(leaf($session, 'pages', 5), 0, 'pages that were staged are right');
cmp_ok(metric('staged_hits_total'), '>', $hits, 'they were used');

my $first = 18 * 1000 + 1;
my ($shown) = $session->query("EXPLAIN (ANALYZE, FORMAT JSON) SELECT sum(id) FROM pages WHERE id BETWEEN $first AND $first + 1000") =~ /"Staged Blocks": (\d+)/;
cmp_ok($shown, '>=', 30, 'EXPLAIN shows blocks that were staged');
($shown) = $node->safe_psql('postgres', "EXPLAIN (ANALYZE, FORMAT JSON) SELECT sum(id) FROM lost WHERE id BETWEEN 1 AND 1000") =~ /"Staged Blocks": (\d+)/;
is($shown, '0', 'and none where nothing was');

# A look-up whose place jumps about is not staged.
my $blocks = metric('staged_blocks_total');
my $jumps = $node->background_psql('postgres');
for (1 .. 12)
{
	my $from = 1 + int(rand(55)) * 1000;
	$jumps->query("SELECT count(*) FROM lost WHERE id BETWEEN $from AND $from + 300");
}
is($node->safe_psql('postgres', "SELECT count(*) FROM query_shaper.staging WHERE relation = 'lost'"), 0, 'what jumps about is not staged');
$jumps->quit;

# Whose session it is, and who may read all statistics.
is($node->safe_psql('postgres', 'SET ROLE stranger; SELECT count(*) FROM query_shaper.staging'), 0, 'others do not see what is staged');
$node->safe_psql('postgres', 'GRANT pg_read_all_stats TO watcher');
cmp_ok($node->safe_psql('postgres', 'SET ROLE watcher; SELECT count(*) FROM query_shaper.staging'), '>', 0, 'readers of all statistics do');
$node->safe_psql('postgres', 'GRANT SELECT ON pages, other TO stranger');
my $own = $node->background_psql('postgres', extra_params => [ '-U', 'stranger' ]);
$page = 0;
is(leaf($own, 'pages', 12), 0, 'another role reads');
cmp_ok($node->safe_psql('postgres', 'SET ROLE stranger; SELECT count(*) FROM query_shaper.staging'), '>', 0, 'and sees its own');
$own->quit;

# DDL beside: never in the way, never a wrong answer, and nothing of an old file left in use.
my $offset = -s $node->logfile;
for my $change ('TRUNCATE pages; INSERT INTO pages SELECT g, repeat($$x$$, 300) FROM generate_series(1, 60000) g', 'VACUUM FULL pages',
	'CLUSTER pages USING pages_id', 'ALTER TABLE pages ALTER t TYPE varchar(400)', 'REINDEX TABLE pages')
{
	$page = 0;
	is(leaf($session, 'pages', 8), 0, 'leafing');
	$node->safe_psql('postgres', "SET lock_timeout = '5s'; $change");
	is(leaf($session, 'pages', 4), 0, "right after $change");
}
my $deleted = $node->background_psql('postgres');
load('postgres', 'gone');
$page = 0;
is(leaf($deleted, 'gone', 10), 0, 'leafing through a table');
$node->safe_psql('postgres', "SET lock_timeout = '5s'; DROP TABLE gone");
is($node->safe_psql('postgres', "SELECT count(*) FROM query_shaper.staging WHERE relation NOT IN ('pages', 'other')"), 0, 'a dropped table is not shown');
$deleted->quit;
$node->safe_psql('postgres', 'DELETE FROM pages WHERE id > 30000');
$page = 0;
is(leaf($session, 'pages', 8), 0, 'leafing through what is left');
$node->safe_psql('postgres', "SET lock_timeout = '5s'; VACUUM (TRUNCATE) pages");
$page = 0;
is(leaf($session, 'pages', 25), 0, 'beyond the end of a table that vacuum has cut');
is(log_count($node, qr/could not read block|unexpected data beyond EOF|PANIC|TRAP/, $offset), 0, 'nothing was read beyond ends');
$node->safe_psql('postgres', 'TRUNCATE pages; INSERT INTO pages SELECT g, repeat($$x$$, 300) FROM generate_series(1, 60000) g; VACUUM ANALYZE pages');

# A stager that fails: counted, and the session asks for less.
$node->append_conf('postgresql.conf', "query_shaper.fault = 'prefetch:force,stager:error'");
$node->reload;
my $failed = metric('staging_failed_total');
$page = 0;
is(leaf($session, 'pages', 16), 0, 'right while stagers fail');
cmp_ok(metric('staging_failed_total'), '>', $failed, 'failures are counted');
$node->append_conf('postgresql.conf', "query_shaper.fault = 'prefetch:force'");
$node->reload;

# A stager that is late: counted, told, and after some statements nothing is staged for them.
$session->quit;
$session = $node->background_psql('postgres');
my $long_page = sub {
	my $from = $_[0] * 3000 + 1;
	my $sum = $session->query("SELECT sum(id) FROM pages WHERE id BETWEEN $from AND $from + 2999");
	$session->query('SELECT count(t) FROM other WHERE id < 50000');
	think() unless $_[1];
	return $sum eq (2 * $from + 2999) * 3000 / 2 ? 0 : 1;
};
my $long_wrong = 0;
$long_wrong += $long_page->($_) for 0 .. 7;
ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM query_shaper.staging WHERE relation = 'pages' AND state = 'staged'"), 'longer pages are staged');
$node->append_conf('postgresql.conf', "query_shaper.fault = 'prefetch:force,stager:wait'");
$node->reload;
my $late = metric('staged_late_total');
$long_wrong += $long_page->($_, 1) for 8 .. 19;
is($long_wrong, 0, 'right while stagers are late');
cmp_ok(metric('staged_late_total') - $late, '>=', 100, 'blocks that come too late are counted');
cmp_ok(metric('staged_late_total') - $late, '<', 12 * (125 + 256) / 2, 'and not asked for again and again');
flush($node, 'postgres');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM query_shaper.events WHERE action = 'prefetch' AND verdict = 'failed' AND reason = 'the statement came before its blocks were staged'"),
	'>', 0, 'an event tells');
$node->append_conf('postgresql.conf', "query_shaper.fault = 'prefetch:force'");
$node->reload;
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'query_shaper stager'");
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'query_shaper stager'");

# A stager that is ended goes, another comes.
$session->quit;
$session = $node->background_psql('postgres');
my $starts = metric('stager_starts_total');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'query_shaper stager'");
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'query_shaper stager'"), 'a stager is ended');
$page = 0;
is(leaf($session, 'pages', 12), 0, 'its session goes on');
cmp_ok(metric('stager_starts_total'), '>', $starts, 'another was started');
$session->quit;

# DROP DATABASE does not wait for stagers that have nothing to do.
$node->safe_psql('postgres', 'CREATE DATABASE target');
$node->safe_psql('target', 'CREATE EXTENSION query_shaper');
load('target', $_) for qw(pages other);
$session = $node->background_psql('target');
$page = 0;
is(leaf($session, 'pages', 10), 0, 'leafing elsewhere');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'query_shaper stager' AND datname = 'target'"), '>', 0, 'a stager is there');
$session->quit;
$node->safe_psql('postgres', 'DROP DATABASE target');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname = 'target'"), 0, 'and gone');

# Off: nothing is staged any more, and stagers leave.
$node->safe_psql('postgres', 'ALTER SYSTEM SET query_shaper.prefetch_stagers = 0');
$node->reload;
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'query_shaper stager'"), 'they leave when told to');
$starts = metric('stager_starts_total');
$session = $node->background_psql('postgres');
$page = 0;
is(leaf($session, 'pages', 10), 0, 'without stagers');
is(metric('stager_starts_total'), $starts, 'none is started');
$session->quit;
$node->safe_psql('postgres', 'ALTER SYSTEM SET query_shaper.prefetch_stagers = 2');
$node->reload;

# kill -9: the postmaster restarts every process, as after any worker with shared memory. Sessions come back and are right.
my ($rounds, $killed, $wrong, $until) = (0, 0, 0, time + $kill_seconds);
while ($rounds < 3 || time < $until)
{
	++$rounds;
	$session = $node->background_psql('postgres', on_error_stop => 0);
	$page = int(rand(30));
	$wrong += leaf($session, 'pages', 7 + int(rand(4)), 1);
	my $stager = $node->safe_psql('postgres', "SELECT min(pid) FROM pg_stat_activity WHERE backend_type = 'query_shaper stager'");
	next if $stager eq '';
	select(undef, undef, undef, rand(0.1)) if $kill_seconds;
	++$killed if kill 9, $stager;
	eval { $session->quit };
	ok($node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), "the server is back ($rounds)") if $rounds <= 3;
	$node->poll_query_until('postgres', 'SELECT true') if $rounds > 3;
}
cmp_ok($killed, '>', 0, "$killed stagers killed in $rounds rounds");
is($wrong, 0, 'no answer was wrong');
is(log_count($node, qr/PANIC|TRAP|terminated by signal (?!9)/), 0, 'no crash of its own');
$node->stop;
done_testing();
