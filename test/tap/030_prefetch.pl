# Prefetch scans that look 64 blocks ahead, cached or not, give what index scans give: kinds of scans, joins and cursors;
# beside updates, HOT pruning and vacuum; with the same predicate locks; without more buffers over dead rows.
use strict;
use warnings;
use lib '.';
use Digest::MD5 qw(md5_hex);
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('prefetch', 'shared_buffers = 8MB', "query_shaper.fault = 'prefetch:force'",
	'query_shaper.prefetch_distance = 64', 'query_shaper.min_cost = 1000000000', 'query_shaper.late_tracking = 0',
	'max_connections = 30', 'max_pred_locks_per_transaction = 256', 'autovacuum = off');
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION query_shaper;
CREATE TABLE item(id int PRIMARY KEY, k int, g int, t text COLLATE "C", v numeric, gone int) WITH (fillfactor = 80, autovacuum_enabled = off);
INSERT INTO item SELECT i, (hashint4(i) & 2147483647) % 3000, i % 97, 'x' || (i % 1000), i * 0.5, i
  FROM generate_series(1, 30000) i;
UPDATE item SET k = NULL WHERE id % 211 = 0;
ALTER TABLE item DROP COLUMN gone;
CREATE INDEX item_k ON item(k);
CREATE INDEX item_kg ON item(g, k DESC);
CREATE INDEX item_t ON item(t);
CREATE INDEX item_part ON item(k) WHERE g < 20;
CREATE INDEX item_expr ON item((v % 100));
CREATE TABLE plain(id int, k int, w text);
INSERT INTO plain SELECT i, (hashint4(i) & 2147483647) % 3000, repeat('w', i % 60) FROM generate_series(1, 20000) i;
CREATE INDEX plain_k ON plain(k);
CREATE TABLE keys(a int, b int);
INSERT INTO keys SELECT i * 7 % 3100, i % 97 FROM generate_series(1, 400) i;
CREATE INDEX keys_a ON keys(a);
CREATE TABLE part(k int, v int) PARTITION BY RANGE (k);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (1500);
CREATE TABLE part_high PARTITION OF part FOR VALUES FROM (1500) TO (3001);
INSERT INTO part SELECT (hashint4(i) & 2147483647) % 3000, i FROM generate_series(1, 10000) i;
CREATE INDEX ON part(k);
CREATE UNLOGGED TABLE loose AS SELECT * FROM plain;
CREATE INDEX ON loose(k);
CREATE TABLE named(n name, i int);
INSERT INTO named SELECT 'name_' || (hashint4(i) & 4095), i FROM generate_series(1, 5000) i;
CREATE INDEX named_n ON named(n, i);
VACUUM ANALYZE;
UPDATE item SET v = v WHERE id % 1000 < 150;
UPDATE named SET i = i WHERE i % 100 < 20;
SQL

my $plain = 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off; ';
my $nested = "$plain SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off;";
my $only = 'SET enable_seqscan = off; SET enable_bitmapscan = off;';
my $joins_off = 'SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off;';
my $merged = "$plain SET enable_hashjoin = off; SET enable_nestloop = off; SET enable_sort = off; SET enable_material = off;";
my $parallel = "$plain SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;"
  . ' SET min_parallel_index_scan_size = 0; SET min_parallel_table_scan_size = 0;';

# Everything ordered or aggregated without regard to order: the two plans need not agree there.
my @queries = (
	[ 'range', $plain, 'SELECT id, k, v FROM item WHERE k BETWEEN 100 AND 400 ORDER BY k, id' ],
	[ 'whole rows', $plain, 'SELECT i FROM item i WHERE k BETWEEN 100 AND 130 ORDER BY k, id' ],
	[ 'system columns', $plain, 'SELECT ctid, tableoid::regclass, id FROM item WHERE k BETWEEN 100 AND 130 ORDER BY k, id' ],
	[ 'expressions', $plain, 'SELECT v * 2 + k, upper(t) FROM item WHERE k BETWEEN 100 AND 130 ORDER BY k, id' ],
	[ 'order of the index', $plain, 'SELECT k FROM item WHERE k BETWEEN 100 AND 400 ORDER BY k' ],
	[ 'backward', $plain, 'SELECT k FROM item WHERE k BETWEEN 100 AND 400 ORDER BY k DESC' ],
	[ 'equality', $plain, 'SELECT sum(id), count(*) FROM item WHERE k = 77' ],
	[ 'array', $plain, "SELECT k, id FROM item WHERE k = ANY('{5,900,17,17,2999,40,41,42,4000}') ORDER BY k, id" ],
	[ 'array backward', $plain, "SELECT k FROM item WHERE k IN (5,900,17,2999,40,41,42) ORDER BY k DESC" ],
	[ 'array and range', $plain, "SELECT g, k FROM item WHERE g IN (3,4,5,90) AND k > 2000 ORDER BY g, k DESC" ],
	[ 'two arrays', $plain, "SELECT sum(id) FROM item WHERE g IN (3,4,5,90) AND k IN (1,2,3,500,501,502,2999)" ],
	[ 'rows', $plain, 'SELECT count(*), sum(id) FROM item WHERE (g, k) > (95, 100)' ],
	[ 'nulls', $plain, 'SELECT id FROM item WHERE k IS NULL ORDER BY id' ],
	[ 'not null', $plain, 'SELECT count(*), sum(id) FROM item WHERE k IS NOT NULL AND id % 3 = 1' ],
	[ 'filter', $plain, 'SELECT id FROM item WHERE k BETWEEN 0 AND 2900 AND v % 77 = 0 ORDER BY id' ],
	[ 'text', $plain, "SELECT t, count(*) FROM item WHERE t BETWEEN 'x10' AND 'x35' GROUP BY t ORDER BY t" ],
	[ 'like', $plain, "SELECT count(*) FROM item WHERE t LIKE 'x99%'" ],
	[ 'partial index', $plain, 'SELECT sum(id) FROM item WHERE k > 2500 AND g < 20' ],
	[ 'expression index', $plain, 'SELECT sum(id) FROM item WHERE v % 100 BETWEEN 10 AND 12' ],
	[ 'limit', $plain, 'SELECT k FROM item WHERE k > 700 ORDER BY k LIMIT 25' ],
	[ 'offset', $plain, 'SELECT k FROM item WHERE k > 700 ORDER BY k OFFSET 3000 LIMIT 25' ],
	[ 'nothing', $plain, 'SELECT * FROM item WHERE k BETWEEN 10000 AND 20000' ],
	[ 'contradiction', $plain, 'SELECT * FROM item WHERE k > 5 AND k = (SELECT 4)' ],
	[ 'unlogged', $plain, 'SELECT sum(id), count(*) FROM loose WHERE k BETWEEN 100 AND 900' ],
	[ 'partitions', $plain, 'SELECT sum(v), count(*) FROM part WHERE k BETWEEN 1200 AND 1900' ],
	[ 'partitions in order', $plain, 'SELECT k FROM part WHERE k BETWEEN 1400 AND 1600 ORDER BY k' ],
	[ 'inner join', $nested, 'SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.k = n.a' ],
	[ 'left join', $nested, 'SELECT count(*), count(i.id), sum(i.id) FROM keys n LEFT JOIN item i ON i.k = n.a' ],
	[ 'semi join', $nested, 'SELECT count(*), sum(a) FROM keys n WHERE EXISTS (SELECT 1 FROM item i WHERE i.k = n.a AND i.v > 5000)' ],
	[ 'anti join', $nested, 'SELECT count(*), sum(a) FROM keys n WHERE NOT EXISTS (SELECT 1 FROM item i WHERE i.k = n.a AND i.v > 5000)' ],
	[ 'nested range', $nested, 'SELECT count(*), sum(i.id) FROM keys n JOIN plain i ON i.k BETWEEN n.a AND n.a + 5 WHERE n.b < 30' ],
	[ 'merge join', $merged, 'SELECT count(*), sum(i.id), sum(p.id) FROM plain p JOIN item i USING (k)' ],
	[ 'merge join with filter', $merged, 'SELECT count(*), sum(i.id) FROM plain p LEFT JOIN item i ON p.k = i.k AND i.v > p.id' ],
	[ 'hash join', $plain, 'SELECT count(*), sum(i.id) FROM plain p JOIN item i ON p.id = i.id WHERE p.k < 300 AND i.k < 1000' ],
	[ 'lateral', $nested, 'SELECT n.a, l.id FROM keys n, LATERAL (SELECT id FROM item i WHERE i.k = n.a ORDER BY i.id DESC LIMIT 2) l ORDER BY 1, 2' ],
	[ 'lateral backward', $nested, 'SELECT n.a, l.k FROM keys n, LATERAL (SELECT k FROM item i WHERE i.k < n.a ORDER BY i.k DESC LIMIT 3) l ORDER BY 1, 2' ],
	[ 'correlated', $plain, 'SELECT sum((SELECT max(id) FROM item i WHERE i.k = n.a)) FROM keys n' ],
	[ 'array of the outer row', $nested, 'SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.k = ANY(ARRAY[n.a, n.b, n.a + 1])' ],
	[ 'set operation', $plain, 'SELECT k FROM item WHERE k < 60 EXCEPT SELECT k FROM plain WHERE k < 30 ORDER BY 1' ],
	[ 'window', $plain, 'SELECT sum(s) FROM (SELECT k * row_number() OVER (ORDER BY k) AS s FROM item WHERE k < 400) w' ],
	[ 'parallel', $parallel, 'SELECT count(*), sum(id) FROM item WHERE k BETWEEN 10 AND 2500' ],
	[ 'parallel in order', $parallel, 'SELECT k FROM item WHERE k BETWEEN 10 AND 600 ORDER BY k' ],
	[ 'parallel nested', "$parallel $nested", 'SELECT count(*), sum(i.id) FROM plain p JOIN item i ON i.k = p.k WHERE p.id < 3000' ],
	[ 'index-only', $only, 'SELECT k FROM item WHERE k BETWEEN 100 AND 400 ORDER BY k' ],
	[ 'index-only backward', $only, 'SELECT k FROM item WHERE k BETWEEN 100 AND 400 ORDER BY k DESC' ],
	[ 'index-only count', $only, 'SELECT count(*) FROM item WHERE k < 900' ],
	[ 'index-only arrays', $only, 'SELECT g, k FROM item WHERE g IN (3,4,5,90) AND k > 2000 ORDER BY g, k DESC' ],
	[ 'index-only filter', $only, 'SELECT k * 2 FROM item WHERE g = 5 AND k % 7 = 1 ORDER BY k' ],
	[ 'index-only names', $only, "SELECT n, i FROM named WHERE n BETWEEN 'name_1' AND 'name_3' ORDER BY n, i" ],
	[ 'index-only nulls', $only, 'SELECT count(*) FROM item WHERE k IS NULL' ],
	[ 'index-only limit', $only, 'SELECT k FROM item WHERE k > 700 ORDER BY k OFFSET 900 LIMIT 25' ],
	[ 'index-only join', "$only $joins_off", 'SELECT count(*), sum(i.k) FROM keys n JOIN item i ON i.k = n.a' ],
	[ 'index-only anti join', "$only $joins_off", 'SELECT count(*), sum(a) FROM keys n WHERE NOT EXISTS (SELECT 1 FROM item i WHERE i.k = n.a)' ],
	[ 'index-only merge join', "$merged SET enable_indexonlyscan = on;", 'SELECT count(*), sum(k) FROM plain p JOIN item i USING (k)' ],
	[ 'index-only lateral', "$only $joins_off", 'SELECT n.a, l.k FROM keys n, LATERAL (SELECT k FROM item i WHERE i.k < n.a ORDER BY i.k DESC LIMIT 3) l ORDER BY 1, 2' ],
	[ 'index-only parallel', "$parallel SET enable_indexonlyscan = on;", 'SELECT count(*), sum(k) FROM item WHERE k BETWEEN 10 AND 2500' ],
	[ 'locking', $plain, 'SELECT id FROM item WHERE k BETWEEN 100 AND 120 ORDER BY k, id FOR UPDATE' ],
	[ 'update', $plain, 'WITH w AS (UPDATE item SET v = v + 1 WHERE k BETWEEN 100 AND 200 RETURNING id, v) SELECT count(*), sum(v) FROM w' ],
	[ 'update of the key', $plain, 'WITH w AS (UPDATE item SET k = k + 1 WHERE k BETWEEN 100 AND 2000 RETURNING id, k) SELECT count(*), sum(k) FROM w' ],
	[ 'delete', $plain, 'WITH w AS (DELETE FROM item WHERE k BETWEEN 300 AND 400 RETURNING id) SELECT count(*), sum(id) FROM w' ],
	[ 'update from', $nested, 'WITH w AS (UPDATE item i SET v = n.b FROM keys n WHERE i.k = n.a RETURNING i.id) SELECT count(DISTINCT id) FROM w' ],
);

sub both { return prefetched_both_ways($node, @_); }

for my $case (@queries)
{
	my ($name, $settings, $query) = @$case;
	my ($stock, $ours) = both($settings, "$query;");
	is($ours, $stock, "$name: the same rows");
	($stock, $ours) = both("SET query_shaper.prefetch_sweep = 0; $settings", "$query;");
	is($ours, $stock, "$name: the same rows, fetched in their order");
	my $plan = $node->safe_psql('postgres', "$settings SET query_shaper.prefetch = on; EXPLAIN (COSTS OFF) $query");
	like($plan, $name =~ /^index-only/ ? qr/Custom Scan \(Prefetch\).*\n.*Index Only Scan/ : qr/Custom Scan \(Prefetch\)/, "$name: by a prefetch scan");
}

# Cursors that turn, jump and are written through.
my $body = join "\n", 'DECLARE c SCROLL CURSOR FOR SELECT id, k FROM item WHERE k BETWEEN 100 AND 400 ORDER BY k;',
  'FETCH 500 FROM c; FETCH BACKWARD 300 FROM c; FETCH 10 FROM c; FETCH BACKWARD 1 FROM c; FETCH 1 FROM c; MOVE 900 IN c;',
  'FETCH BACKWARD 5 FROM c; MOVE FORWARD ALL IN c; FETCH BACKWARD 20 FROM c; MOVE BACKWARD ALL IN c; FETCH 7 FROM c;',
  'FETCH ABSOLUTE 750 FROM c; FETCH RELATIVE -50 FROM c; FETCH LAST FROM c; FETCH FIRST FROM c; FETCH PRIOR FROM c; FETCH 3 FROM c;',
  'CLOSE c;';
my ($stock, $ours) = both($plain, $body);
is($ours, $stock, 'scroll cursor: the same rows');
($stock, $ours) = both($plain, join "\n",
	"DECLARE c SCROLL CURSOR FOR SELECT k, g FROM item WHERE g IN (3, 9, 40) AND k > 50 ORDER BY g, k DESC;",
	'FETCH 700 FROM c; FETCH BACKWARD 650 FROM c; FETCH 640 FROM c; FETCH BACKWARD ALL FROM c; FETCH ALL FROM c; CLOSE c;');
is($ours, $stock, 'scroll cursor over arrays: the same rows');
($stock, $ours) = both($plain, join "\n",
	'DECLARE c CURSOR FOR SELECT * FROM item WHERE k BETWEEN 100 AND 400;',
	'FETCH 200 FROM c; UPDATE item SET v = -1 WHERE CURRENT OF c; FETCH 1 FROM c; DELETE FROM item WHERE CURRENT OF c; FETCH 1 FROM c;',
	'CLOSE c; SELECT id, v FROM item WHERE v = -1; SELECT count(*) FROM item;');
is($ours, $stock, 'WHERE CURRENT OF: the same row');
($stock, $ours) = both($only, join "\n",
	'DECLARE c CURSOR FOR SELECT k FROM item WHERE k BETWEEN 100 AND 400;',
	'FETCH 200 FROM c; UPDATE item SET t = $$y$$ WHERE CURRENT OF c; FETCH 1 FROM c; DELETE FROM item WHERE CURRENT OF c; FETCH 1 FROM c;',
	'CLOSE c; SELECT id, t FROM item WHERE t = $$y$$; SELECT count(*), sum(id) FROM item;');
is($ours, $stock, 'WHERE CURRENT OF an index-only scan: the same row');
($stock, $ours) = both($only, join "\n", 'DECLARE c SCROLL CURSOR FOR SELECT g, k FROM item WHERE g IN (3, 9, 40) AND k > 50 ORDER BY g, k DESC;',
	'FETCH 700 FROM c; FETCH BACKWARD 650 FROM c; FETCH 640 FROM c; FETCH BACKWARD ALL FROM c; FETCH ALL FROM c; CLOSE c;');
is($ours, $stock, 'scroll cursor over an index-only scan: the same rows');
($stock, $ours) = both($plain, join "\n",
	'DECLARE c CURSOR WITH HOLD FOR SELECT id, k FROM item WHERE k BETWEEN 100 AND 130 ORDER BY k;', 'FETCH 9 FROM c;', 'CLOSE c;');
is($ours, $stock, 'WITH HOLD: the same rows');
($stock, $ours) = both($plain, join "\n", 'PREPARE p(int, int) AS SELECT count(*), sum(id) FROM item WHERE k BETWEEN $1 AND $2;',
	map({ "EXECUTE p($_, $_ + 100);" } 1 .. 8), 'DEALLOCATE p;');
is($ours, $stock, 'prepared statement: the same rows');

# Predicate locks of two serializable transactions that run the same, also of one that stops early.
sub predicate_locks
{
	my ($prefetch, $query) = @_;
	my $settings = $query =~ /^SELECT k / ? $only : $plain;
	return $node->safe_psql('postgres',
		"$settings SET query_shaper.prefetch = $prefetch; BEGIN ISOLATION LEVEL SERIALIZABLE; DO \$\$ BEGIN PERFORM * FROM ($query) q; END \$\$;"
		  . " SELECT locktype, relation::regclass, page, tuple FROM pg_locks WHERE mode = 'SIReadLock' ORDER BY 1, 2, 3, 4; COMMIT;");
}
for my $query (
	'SELECT id FROM item WHERE k BETWEEN 100 AND 200',
	'SELECT id FROM plain WHERE k BETWEEN 100 AND 3000 ORDER BY k LIMIT 3',
	'SELECT id FROM plain WHERE k < 1000 ORDER BY k DESC LIMIT 40',
	"SELECT id FROM item WHERE k IN (1, 50, 1000, 2000, 2900) LIMIT 4",
	'SELECT k FROM item WHERE k BETWEEN 100 AND 200',
	'SELECT k FROM item WHERE k < 1000 ORDER BY k DESC LIMIT 40')
{
	my $locks = predicate_locks('off', $query);
	isnt($locks, '', 'predicate locks are taken');
	is(predicate_locks('on', $query), $locks, "the same predicate locks: $query");
}

# The scan counts as one scan, and no entry is read twice in the statistics.
my %seen;
for my $prefetch ('off', 'on')
{
	$node->safe_psql('postgres', "SELECT pg_stat_reset()");
	$node->safe_psql('postgres', "$plain SET query_shaper.prefetch = $prefetch; SELECT count(v) FROM item WHERE k IN (1, 50, 1000, 2000, 2900);"
		  . ' SELECT pg_stat_force_next_flush();');
	$seen{$prefetch} =
	  $node->safe_psql('postgres', "SELECT idx_scan, idx_tup_read, idx_tup_fetch FROM pg_stat_user_indexes WHERE indexrelname = 'item_k'");
}
is($seen{on}, $seen{off}, 'the index counts the same scans and entries');
# The first run marks entries of dead rows.
my %fetches;
for my $prefetch ('off', 'off', 'on')
{
	my $plan = $node->safe_psql('postgres', "$only SET query_shaper.prefetch = $prefetch; EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) SELECT count(*) FROM item WHERE k < 2000");
	like($plan, qr/"Index Only Scan"/, 'an index-only scan');
	($fetches{$prefetch}) = $plan =~ /"Heap Fetches": (\d+)/;
	next if $prefetch eq 'off';
	my ($asked, $used) = ($plan =~ /"Prefetched Blocks": (\d+)/, $plan =~ /"Prefetches Used": (\d+)/);
	cmp_ok($asked, '>', 100, "blocks that are not all visible are asked for: $asked");
	cmp_ok($used, '>=', 0.95 * $asked, "and read: $used");
}
cmp_ok($fetches{off}, '>', 1000, 'rows are fetched');
is($fetches{on}, $fetches{off}, 'as many as by stock');

# Dead rows: the first scan marks their entries, the second does not come to them.
sub buffers_touched
{
	my ($prefetch, $settings, $what) = @_;
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS dead; CREATE TABLE dead(k int, pad text);'
		  . " INSERT INTO dead SELECT i % 40, repeat('p', 200) FROM generate_series(1, 12000) i; CREATE INDEX dead_k ON dead(k);"
		  . ' DELETE FROM dead WHERE k % 10 <> 0;');
	my $scan = "$settings SET query_shaper.prefetch = $prefetch; EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON, TIMING OFF) SELECT $what FROM dead WHERE k BETWEEN 1 AND 38;";
	my $plan = $node->safe_psql('postgres', $scan) && $node->safe_psql('postgres', $scan);
	my ($hit) = $plan =~ /"Shared Hit Blocks": (\d+)/;
	my ($read) = $plan =~ /"Shared Read Blocks": (\d+)/;
	return $hit + $read;
}
for my $case ([ $plain, 'sum(length(pad))' ], [ $only, 'count(*)' ])
{
	my ($before, $with) = (buffers_touched('off', @$case), buffers_touched('on', @$case));
	cmp_ok($with, '<=', 1.1 * $before, "repeat scan over dead rows, $case->[1]: $with buffers, stock $before");
}

# Beside writers: both plans under one snapshot see the same rows.
my $script = PostgreSQL::Test::Utils::tempdir . '/writes.sql';
append_to_file($script, <<'SQL');
\set a random(1, 30000)
\set b random(0, 2999)
UPDATE item SET v = v + 1 WHERE id BETWEEN :a AND :a + 20;
UPDATE item SET k = :b WHERE id = :a;
DELETE FROM plain WHERE id BETWEEN :a AND :a + 5;
INSERT INTO plain SELECT :a + i, (:b + i * 37) % 3000, repeat('w', i * 5) FROM generate_series(0, 6) i;
SQL
my $vacuum = PostgreSQL::Test::Utils::tempdir . '/vacuum.sql';
# To truncate, VACUUM would wait up to 5 s for readers to be gone, and here they never are.
append_to_file($vacuum, "VACUUM (TRUNCATE off) item;\nVACUUM (TRUNCATE off) plain;\n");
my ($out, $err) = ('', '');
my $writers = IPC::Run::start(
	[ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', 3, '-t', 1500, '-f', "$script\@20", '-f', "$vacuum\@1", 'postgres' ],
	'>', \$out, '2>', \$err);
my ($rounds, $wrong, $sweep) = (0, 0, 1024);
while ($writers->pumpable)
{
	$writers->pump_nb;
	for my $case (grep { $_->[0] =~ /^(range|backward|array backward|nulls|filter|inner join|anti join|merge join|lateral|parallel|not null|index-only|index-only arrays|index-only join|index-only merge join|index-only parallel)$/ } @queries)
	{
		my ($name, $settings, $query) = @$case;
		my ($stock_rows, $our_rows) = both("SET query_shaper.prefetch_sweep = $sweep; $settings", "$query;");
		next if $stock_rows eq $our_rows;
		$wrong++;
		diag("$name beside writers:\nstock $stock_rows\nours $our_rows");
	}
	# Among equal keys the server's own order changes beside writers: here every key is there once.
	(my $unique = $body) =~ s/SELECT .* ORDER BY k;/SELECT id, k FROM item WHERE id BETWEEN 4000 AND 5500 ORDER BY id;/;
	my ($stock_rows, $our_rows) = both($plain, $unique);
	if ($stock_rows ne $our_rows)
	{
		$wrong++;
		diag("cursor beside writers:\nstock $stock_rows\nours $our_rows");
	}
	$rounds++;
	$sweep = $sweep ? 0 : 1024;
	last if $wrong > 3;
}
$writers->kill_kill if $wrong > 3;
$writers->finish;
is($wrong, 0, 'beside writers: the same rows');
cmp_ok($rounds, '>=', 2, "in $rounds rounds");
unlike($err, qr/aborted|ERROR/, 'no writer was disturbed');

# A row that another transaction changes under an UPDATE that waits for it is checked anew.
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; UPDATE item SET k = 2999, v = 7 WHERE id = (SELECT min(id) FROM item WHERE k = 1500)');
my ($late_out, $late_err) = ('', '');
my $late = IPC::Run::start(
	[ 'psql', '-XAtq', '-h', $node->host, '-p', $node->port, '-d', 'postgres', '-c',
		"$plain SET query_shaper.prefetch = on; UPDATE item SET v = -5 WHERE k BETWEEN 1400 AND 1600" ],
	'>', \$late_out, '2>', \$late_err);
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%SET v = -5%'")
  or die 'nobody waits';
$holder->query_safe('COMMIT');
$late->finish;
is($late_err, '', 'the waiting UPDATE ends well');
is($node->safe_psql('postgres', 'SELECT count(*) FROM item WHERE k = 2999 AND v = -5'), '0', 'and leaves the row that moved away');
$holder->quit;

# Bitmap heap scans whose reach is raised: exact and lossy, combined, rescanned, cut short, as cursors.
my $bitmap = 'SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_sort = on;';
for my $case (
	[ $bitmap, 'SELECT sum(id), count(*) FROM item WHERE k BETWEEN 100 AND 2400;' ],
	[ "$bitmap SET work_mem = '64kB';", 'SELECT sum(id), count(*) FROM item WHERE k BETWEEN 100 AND 2900;' ],
	[ $bitmap, 'SELECT sum(id), count(*) FROM item WHERE k BETWEEN 100 AND 400 OR t < \'x200\';' ],
	[ $bitmap, 'SELECT id FROM item WHERE k BETWEEN 100 AND 2400 LIMIT 7;' ],
	[ "$bitmap SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off;",
		'SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.k BETWEEN n.a AND n.a + 9;' ],
	[ $bitmap, "DECLARE c CURSOR FOR SELECT id, k FROM item WHERE k BETWEEN 100 AND 400; FETCH 500 FROM c; MOVE 300 IN c; FETCH ALL FROM c; CLOSE c;" ],
	[ "$parallel $bitmap SET enable_bitmapscan = on;", 'SELECT count(*), sum(id) FROM item WHERE k BETWEEN 10 AND 2500;' ])
{
	my ($settings, $query) = @$case;
	my ($stock_rows, $our_rows) = both($settings, $query);
	isnt($stock_rows, '', "bitmap scan: rows of $query");
	is($our_rows, $stock_rows, "bitmap scan: the same rows: $query");
	next if $query =~ /DECLARE/;
	like($node->safe_psql('postgres', "$settings EXPLAIN (COSTS OFF) $query"), qr/Bitmap Heap Scan/, 'by a bitmap scan');
}

# Requests that fail: the reads are made when their turn comes, the failures are counted, and the scan asks no more.
$node->safe_psql('postgres', "ALTER SYSTEM SET query_shaper.fault = 'prefetch:force,prefetch_request:fail'");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('query_shaper.fault') LIKE '%fail'") or die 'no fault';
my $failed = "SELECT value FROM query_shaper.metrics WHERE name = 'prefetches_failed_total'";
my $failed_before = $node->safe_psql('postgres', $failed);
for my $query ('SELECT id, k FROM item WHERE k BETWEEN 100 AND 400 ORDER BY k, id', 'SELECT count(*) FROM item WHERE id BETWEEN 10 AND 20000')
{
	my ($stock_rows, $our_rows) = both($plain, "$query;");
	is($our_rows, $stock_rows, "failing requests: $query");
}
cmp_ok($node->safe_psql('postgres', $failed) - $failed_before, '>=', 32, 'failed requests are counted');
my $shown = $node->safe_psql('postgres', "$plain SET query_shaper.prefetch = on; EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM item WHERE k < 2900");
my ($failures) = $shown =~ /"Prefetches Failed": (\d+)/;
cmp_ok($failures, '>=', 16, 'a scan meets failing requests');
cmp_ok($failures, '<=', 20, 'and then asks no more');
$node->safe_psql('postgres', "ALTER SYSTEM SET query_shaper.fault = 'prefetch:force'");
$node->reload;

# Not forced: offered where reads come in no order, or in one that the kernel does not follow.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE large AS SELECT i AS id, hashint4(i) AS k, repeat('x', 100) AS t FROM generate_series(1, 200000) i;
CREATE INDEX large_id ON large(id);
CREATE INDEX large_k ON large(k);
VACUUM ANALYZE large;
SQL
my $in_order = 'SELECT sum(length(t)) FROM large WHERE id BETWEEN 1000 AND 60000';
for my $case (
	[ 'in order', '', $in_order, 0 ],
	[ 'in order, hinted otherwise', "SET query_shaper.partition_hint = 'large=random';", $in_order, 1 ],
	[ 'in order, hinted so', "SET query_shaper.partition_hint = 'large=sequential';", $in_order, 0 ],
	[ 'backward', '', 'SELECT sum(length(t)) FROM (SELECT t FROM large WHERE id BETWEEN 1000 AND 60000 ORDER BY id DESC OFFSET 0) b', 1 ],
	[ 'scattered', '', 'SELECT sum(length(t)) FROM large WHERE k BETWEEN 0 AND 100000000', 1 ],
	[ 'scattered, off', 'SET query_shaper.prefetch = off;', 'SELECT sum(length(t)) FROM large WHERE k BETWEEN 0 AND 100000000', 0 ])
{
	my ($name, $settings, $query, $offered) = @$case;
	my $plan = $node->safe_psql('postgres', "$plain SET query_shaper.prefetch = on; SET query_shaper.fault = ''; $settings EXPLAIN (COSTS OFF) $query");
	like($plan, qr/Index Scan/, "$name: an index scan");
	is(scalar($plan =~ /Prefetch/), $offered ? 1 : '', "$name: " . ($offered ? 'read ahead' : 'left alone'));
}

# Several sessions filled the table at once: eight rows in a row lie in eight blocks. Rows are fetched block by block and
# come in the order of the index.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE woven(id int, v int, t text) WITH (fillfactor = 90, autovacuum_enabled = off);
INSERT INTO woven SELECT i, i % 1000, repeat('w', i % 90) FROM generate_series(1, 40000) i ORDER BY i / 8000, i % 8, i;
CREATE INDEX woven_id ON woven(id);
CREATE TABLE wide AS SELECT i AS id, repeat(md5(i::text), 50) AS t FROM generate_series(1, 4000) i ORDER BY i / 1000, i % 5, i;
ALTER TABLE wide ALTER t SET STORAGE PLAIN;
UPDATE wide SET t = t || '';
CREATE INDEX wide_id ON wide(id);
VACUUM ANALYZE woven, wide;
UPDATE woven SET v = v + 1 WHERE id % 50 = 7;
DELETE FROM woven WHERE id % 61 = 3;
SQL
my $weave = "$plain SET query_shaper.fault = '';";
my $whole = 'SELECT id, v, t FROM woven WHERE id BETWEEN 900 AND 30000 ORDER BY id';
sub swept
{
	my ($query, $settings) = @_;
	my $plan = $node->safe_psql('postgres',
		"$weave SET query_shaper.prefetch = on; @{[$settings // '']} EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) $query");
	return map { $plan =~ /"$_": (\d+)/ ? $1 : -1 } ('Rows Swept', 'Chunks Swept', 'Swept Rows Unused');
}
my ($rows, $chunks, $unused) = swept($whole);
cmp_ok($rows, '>', 25000, "rows are fetched out of order: $rows");
cmp_ok($chunks * 5, '<', $rows, "many from a block at once: $chunks chunks");
is($unused, 0, 'all are handed out');
is_deeply([ swept($whole, 'SET query_shaper.prefetch_sweep = 0;') ], [ -1, -1, -1 ], 'not where that is turned off');
is_deeply([ swept($whole, 'SET default_transaction_isolation = serializable;') ], [ -1, -1, -1 ], 'nor in serializable transactions');
($rows, $chunks, $unused) = swept('SELECT * FROM woven WHERE id > 100 ORDER BY id LIMIT 3000');
cmp_ok($rows, '>', 2000, "under a LIMIT: $rows");
cmp_ok($unused, '<=', 1024, "few more rows than asked for: $unused");
is_deeply([ swept("SELECT id, t FROM woven WHERE id < 3 AND v >= 0") ], [ -1, -1, -1 ], 'a few rows are not worth it');
($rows) = swept('SELECT * FROM wide WHERE id BETWEEN 10 AND 3900 ORDER BY id');
cmp_ok($rows, '>', 1000, "wide rows: $rows");
for my $query ($whole,
	'SELECT id, v, t FROM woven WHERE id BETWEEN 900 AND 30000 ORDER BY id DESC',
	'SELECT ctid, xmin, tableoid::regclass, w FROM woven w WHERE id BETWEEN 900 AND 30000 ORDER BY id',
	'SELECT id, md5(t) FROM wide WHERE id BETWEEN 10 AND 3900 ORDER BY id',
	'SELECT id FROM woven WHERE id > 100 AND v % 7 = 1 ORDER BY id OFFSET 500 LIMIT 900',
	'SELECT a.id, b.v, lag(b.t) OVER (ORDER BY b.id) FROM woven a JOIN woven b ON a.id = b.id WHERE a.id BETWEEN 900 AND 9000 AND b.id < 20000 ORDER BY a.id',
	'SELECT id, v FROM woven WHERE id BETWEEN 900 AND 9000 ORDER BY id FOR UPDATE',
	'WITH u AS (UPDATE woven SET v = v + 1, id = id + 5 WHERE id BETWEEN 900 AND 9000 RETURNING id, v, t) SELECT * FROM u',
	'WITH d AS (DELETE FROM woven WHERE id BETWEEN 900 AND 9000 RETURNING *) SELECT * FROM d',
	'DECLARE c SCROLL CURSOR FOR SELECT id, v, t FROM woven WHERE id BETWEEN 900 AND 30000 ORDER BY id; FETCH 3000 FROM c; UPDATE woven SET v = -1; '
	  . 'FETCH 700 FROM c; FETCH BACKWARD 1500 FROM c; FETCH 900 FROM c; DELETE FROM woven WHERE id % 2 = 0; FETCH 5000 FROM c; MOVE BACKWARD 3333 IN c; FETCH 44 FROM c; CLOSE c',
	"DECLARE c CURSOR FOR SELECT id, v FROM woven WHERE id BETWEEN 900 AND 30000; FETCH 4000 FROM c; UPDATE woven SET v = -3 WHERE CURRENT OF c; "
	  . 'FETCH 1 FROM c; DELETE FROM woven WHERE CURRENT OF c; FETCH 2 FROM c; CLOSE c; SELECT id FROM woven WHERE v = -3; SELECT count(*), sum(id) FROM woven')
{
	for my $settings ($weave, $plain)
	{
		my ($stock_rows, $our_rows) = both($settings, "$query;");
		cmp_ok(length $stock_rows, '>', 100, 'rows') if $settings eq $weave;
		is(md5_hex($our_rows), md5_hex($stock_rows), 'woven' . ($settings eq $weave ? '' : ', forced') . ": the same rows in the same order: $query");
	}
}
# Two cursors of one snapshot, while others update, prune and vacuum what they have yet to come to.
my $reader = $node->background_psql('postgres');
$reader->query_safe("$weave BEGIN ISOLATION LEVEL REPEATABLE READ; DECLARE stock SCROLL CURSOR FOR $whole;"
	  . " SET LOCAL query_shaper.prefetch = on; DECLARE ours SCROLL CURSOR FOR $whole;");
my $apart = 0;
for my $i (0 .. 7)
{
	for my $fetch ('FETCH 1500', 'FETCH BACKWARD 400', 'FETCH 33')
	{
		my ($expected, $found) = map { $reader->query_safe("$fetch FROM $_") } ('stock', 'ours');
		s/background_psql: \S+ \d+:?//g, s/^\s+|\s+$//g for $expected, $found;
		$apart++ if length $expected < 500 || $found ne $expected;
	}
	$node->safe_psql('postgres', "UPDATE woven SET v = v + 1, t = 'changed' || id WHERE id % 4 = $i % 4");
	$node->safe_psql('postgres', 'VACUUM woven');
}
is($apart, 0, 'two cursors of one snapshot beside writers: the same rows');
$reader->query_safe('COMMIT');
$reader->quit;
# Rows that are dead to everybody are remembered as such, so that the next scan does not come to them.
my %touched;
for my $settings ('SET query_shaper.prefetch = off;', 'SET query_shaper.prefetch = on;')
{
	$node->safe_psql('postgres', 'TRUNCATE woven; INSERT INTO woven SELECT i, i % 1000, repeat($$w$$, i % 90)'
		  . ' FROM generate_series(1, 20000) i ORDER BY i / 8000, i % 8, i; ANALYZE woven; DELETE FROM woven WHERE id % 10 <> 0');
	my $scan = "$weave $settings EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON, TIMING OFF) SELECT sum(v) FROM woven WHERE id BETWEEN 1 AND 19000";
	my $plan = $node->safe_psql('postgres', $scan) && $node->safe_psql('postgres', $scan);
	($touched{$settings}) = $plan =~ /"Shared Hit Blocks": (\d+)/;
}
my ($touched_before, $touched_with) = @touched{'SET query_shaper.prefetch = off;', 'SET query_shaper.prefetch = on;'};
cmp_ok($touched_with, '<=', 1.1 * $touched_before, "repeat scan over dead rows, swept: $touched_with buffers, stock $touched_before");

# In the order of their blocks, where nobody asked for the index's: the same rows. Forced, a window has 100 entries, so that
# blocks are met in several and scans end within one.
my $loosely = "$plain SET query_shaper.fault = 'prefetch:force,prefetch_order:force';";
my $loosely_nested = "$nested $loosely";
sub in_block_order
{
	my ($settings, $query) = @_;
	my $plan = $node->safe_psql('postgres', "$settings SET query_shaper.prefetch = on; EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) $query");
	my %sums = (Entries => 0, Visits => 0, Windows => 0);
	for my $what (keys %sums) { $sums{$what} += $_ for $plan =~ /"$what in Block Order": (\d+)/g; }
	return @sums{'Entries', 'Visits', 'Windows'};
}
sub sorted { return join "\n", sort split /\n/, $_[0] }
# Without dead rows, whose first one keeps a scan in the order of its index.
$node->safe_psql('postgres', 'VACUUM ANALYZE');
$node->safe_psql('postgres', 'TRUNCATE woven; INSERT INTO woven SELECT i, i % 1000, repeat($$w$$, i % 90)'
	  . ' FROM generate_series(1, 20000) i ORDER BY i / 8000, i % 8, i; ANALYZE woven; UPDATE woven SET v = v + 1 WHERE id % 50 = 7');
for my $case (
	[ 'a range', $loosely, 'SELECT id, k, v FROM item WHERE k BETWEEN 100 AND 400' ],
	[ 'whole rows', $loosely, 'SELECT ctid, xmin, tableoid::regclass, i FROM item i WHERE k BETWEEN 100 AND 300' ],
	[ 'arrays', $loosely, "SELECT id, k FROM item WHERE k = ANY('{5,900,17,17,2999,40,41,42,4000}')" ],
	[ 'two arrays', $loosely, 'SELECT sum(id) FROM item WHERE g IN (3,4,5,90) AND k > 1000' ],
	[ 'a filter', $loosely, 'SELECT id, t FROM item WHERE k BETWEEN 0 AND 2900 AND v % 77 = 0' ],
	[ 'HOT chains', $loosely, 'SELECT id, v, t FROM woven WHERE id BETWEEN 900 AND 19000' ],
	[ 'wide rows', $loosely, 'SELECT id, md5(t) FROM wide WHERE id BETWEEN 10 AND 3900' ],
	[ 'runtime keys', $loosely, 'SELECT id FROM item WHERE k < (SELECT max(a) FROM keys)' ],
	[ 'partitions', $loosely, 'SELECT k, v FROM part WHERE k BETWEEN 1200 AND 1900' ],
	[ 'hash join', "$loosely SET enable_mergejoin = off; SET enable_nestloop = off;", 'SELECT p.id, i.id FROM plain p JOIN item i ON p.id = i.id + 0 WHERE p.k < 300 AND i.k < 1000' ],
	[ 'union', $loosely, 'SELECT id FROM item WHERE k < 300 UNION ALL SELECT id FROM plain WHERE k < 300' ],
	[ 'rescans', $loosely_nested, 'SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.id % 97 = n.b AND i.k < 70 WHERE n.a < 900' ],
	[ 'rescans cut short', $loosely_nested, 'SELECT count(*), sum(n.a) FROM keys n WHERE EXISTS (SELECT 1 FROM item i WHERE i.id % 97 = n.b AND i.k < 90)' ],
	[ 'one column of many', $loosely, 'SELECT sum((SELECT count(*) FROM item i WHERE i.k < 60 AND i.g = n.b)) FROM keys n WHERE n.a < 300' ],
	[ 'nothing', $loosely, 'SELECT * FROM item WHERE k BETWEEN 10000 AND 20000', 'none' ],
	[ 'a cursor', $loosely, 'DECLARE c NO SCROLL CURSOR FOR SELECT id, k FROM item WHERE k BETWEEN 100 AND 400; FETCH 70 FROM c; FETCH 1 FROM c; '
		  . 'UPDATE item SET v = -1; FETCH 500 FROM c; MOVE 0 IN c; DELETE FROM item WHERE id % 2 = 0; FETCH ALL FROM c; FETCH 1 FROM c; CLOSE c' ])
{
	my ($name, $settings, $query, $none) = @$case;
	my ($stock_rows, $our_rows) = both($settings, "$query;");
	is(md5_hex(sorted($our_rows)), md5_hex(sorted($stock_rows)), "in block order, $name: the same rows");
	next if $query =~ /DECLARE/;
	my ($entries, $visits, $windows) = in_block_order($settings, $query);
	if ($none) { is($windows, 0, "in block order, $name: no window"); next; }
	cmp_ok($entries, '>', 0, "in block order, $name: $entries entries in $visits visits, $windows windows")
	  or diag($node->safe_psql('postgres', "$settings SET query_shaper.prefetch = on; EXPLAIN (VERBOSE, SETTINGS) $query"));
	cmp_ok($visits, '<=', $entries, "in block order, $name: no more visits than entries");
}
my $most = 'SELECT id FROM woven WHERE id BETWEEN 1 AND 19500';
my $turning = $node->safe_psql('postgres', "$plain SET query_shaper.prefetch = off; EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON, TIMING OFF) $most");
my $turns = $turning =~ /"Shared Hit Blocks": (\d+).*?"Shared Read Blocks": (\d+)/s ? $1 + $2 : 0;
my ($entries, $visits, $windows) = in_block_order($loosely, $most);
cmp_ok($entries, '>', 19000, 'all entries but the first in windows');
cmp_ok($windows, '>', 190, 'of 100 entries each');
cmp_ok($visits * 4, '<', $turns, "blocks are visited less often: $visits times, $turns turns of the index");
# The window that meets dead rows is the last one.
$node->safe_psql('postgres', 'DELETE FROM woven WHERE id BETWEEN 9000 AND 9999');
($entries) = in_block_order($loosely, $most);
cmp_ok($entries, '>', 8900, 'until dead rows are met');
cmp_ok($entries, '<', 9200, "and no further: $entries entries");
($stock, $ours) = both($loosely, "$most;");
is(md5_hex(sorted($ours)), md5_hex(sorted($stock)), 'before and after dead rows: the same rows');
# Under a LIMIT, and where the reader stops, rows of the table that fit, none twice.
is($node->safe_psql('postgres', "$loosely SET query_shaper.prefetch = on; SELECT count(DISTINCT id), bool_and(k > 700) FROM (SELECT id, k FROM item WHERE k > 700 LIMIT 730) l"),
	'730|t', 'in block order under a LIMIT');
is($node->safe_psql('postgres', "$loosely SET query_shaper.prefetch = on; BEGIN; DECLARE c NO SCROLL CURSOR FOR SELECT id, k FROM item WHERE k BETWEEN 100 AND 400;"
		  . ' MOVE 333 IN c; CREATE TEMP TABLE at(id int, k int) ON COMMIT DROP; DO $$ DECLARE r refcursor := $q$c$q$; i int; j int;'
		  . ' BEGIN FETCH r INTO i, j; INSERT INTO at VALUES (i, j); END $$; UPDATE item SET v = -1 WHERE CURRENT OF c;'
		  . ' SELECT count(*) FROM item JOIN at USING (id, k) WHERE v = -1; SELECT count(*) FROM item WHERE v = -1; ROLLBACK'),
	"1\n1", 'WHERE CURRENT OF in block order: the row that was fetched');
# Not where an order was asked for or somebody could tell.
for my $case (
	[ 'order', $loosely, 'SELECT k, id FROM item WHERE k BETWEEN 100 AND 400 ORDER BY k' ],
	[ 'order backward', $loosely, 'SELECT id FROM item WHERE id BETWEEN 100 AND 4000 ORDER BY id DESC' ],
	[ 'minimum', $loosely, 'SELECT min(id), max(id) FROM item WHERE id > 77 AND v > 3' ],
	[ 'groups', "$loosely SET enable_hashagg = off; SET enable_sort = off;", 'SELECT id, count(v) FROM item WHERE id BETWEEN 100 AND 4000 GROUP BY id' ],
	[ 'distinct on', "$loosely SET enable_sort = off;", 'SELECT DISTINCT ON (id) id, v FROM item WHERE id BETWEEN 100 AND 4000 ORDER BY id' ],
	[ 'window', "$loosely SET enable_sort = off;", 'SELECT id, row_number() OVER (ORDER BY id), v FROM item WHERE id BETWEEN 100 AND 4000' ],
	[ 'merge join', "$merged $loosely", 'SELECT p.k, i.id, p.id FROM plain p JOIN item i USING (k) WHERE p.k < 200' ],
	[ 'merged partitions', $loosely, 'SELECT k FROM (SELECT * FROM part UNION ALL SELECT k, id FROM plain) u WHERE k BETWEEN 1400 AND 1600 ORDER BY k' ],
	[ 'rows locked', $loosely, 'SELECT id FROM item WHERE k BETWEEN 100 AND 400 FOR UPDATE' ],
	[ 'rows written', $loosely, 'UPDATE item SET v = v + 1 WHERE k BETWEEN 100 AND 200 RETURNING id' ],
	[ 'rows written from it', $loosely, 'UPDATE keys SET b = s.g FROM (SELECT k, g FROM item WHERE k BETWEEN 100 AND 200 OFFSET 0) s WHERE a = s.k RETURNING a' ],
	[ 'rows read by key', $loosely_nested, 'SELECT n.a, i.id FROM keys n JOIN item i ON i.k = n.a' ],
	[ 'serializable', "$loosely SET default_transaction_isolation = serializable;", 'SELECT id FROM item WHERE k BETWEEN 100 AND 400' ],
	[ 'turned off', "$loosely SET query_shaper.prefetch_sweep = 0;", 'SELECT id FROM item WHERE k BETWEEN 100 AND 400' ],
	[ 'parallel', "$parallel $loosely SET parallel_leader_participation = on;", 'SELECT count(*), sum(id) FROM item WHERE k BETWEEN 10 AND 2500' ],
	[ 'index alone', "$only SET query_shaper.fault = 'prefetch:force,prefetch_order:force';", 'SELECT k FROM item WHERE k BETWEEN 100 AND 400' ],
	[ 'not forced', $plain, 'SELECT id FROM item WHERE k BETWEEN 100 AND 400' ])
{
	my ($name, $settings, $query) = @$case;
	my $body = $query =~ /^UPDATE/ ? "WITH w AS ($query) SELECT count(*) FROM w" : $query;
	my (undef, undef, $windows) = in_block_order($settings, $body);
	is($windows, 0, "in the order of the index: $name");
	next if $name =~ /serializable/;
	my ($stock_rows, $our_rows) = both($settings, "$body;");
	is(md5_hex($our_rows), md5_hex($stock_rows), "in the order of the index, $name: the same rows in the same order");
}
($stock, $ours) = both($loosely, 'DECLARE c CURSOR FOR SELECT id, k FROM item WHERE k BETWEEN 100 AND 400; FETCH 500 FROM c; FETCH BACKWARD 300 FROM c; FETCH 9 FROM c; CLOSE c;');
is($ours, $stock, 'a cursor that may turn keeps the order of the index');
# One snapshot, while others update, prune and vacuum what the cursor has yet to come to.
$reader = $node->background_psql('postgres');
$reader->query_safe("$loosely BEGIN ISOLATION LEVEL REPEATABLE READ; DECLARE stock NO SCROLL CURSOR FOR SELECT id, v, t FROM woven WHERE id BETWEEN 900 AND 19000;"
	  . ' SET LOCAL query_shaper.prefetch = on; DECLARE ours NO SCROLL CURSOR FOR SELECT id, v, t FROM woven WHERE id BETWEEN 900 AND 19000;');
my %came = (stock => '', ours => '');
for my $i (0 .. 8)
{
	for my $cursor ('stock', 'ours')
	{
		my $some = $reader->query_safe("FETCH 2333 FROM $cursor");
		$some =~ s/background_psql: \S+ \d+:?//g;
		$came{$cursor} .= "$some\n";
	}
	$node->safe_psql('postgres', "UPDATE woven SET v = v + 1, t = 'changed' || id WHERE id % 4 = $i % 4");
	$node->safe_psql('postgres', 'VACUUM woven');
}
$reader->query_safe('COMMIT');
$reader->quit;
s/\n+/\n/g, s/^\s+|\s+$//g for @came{'stock', 'ours'};
cmp_ok(scalar(split /\n/, $came{stock}), '>', 17000, 'all rows of the snapshot came');
is(md5_hex(sorted($came{ours})), md5_hex(sorted($came{stock})), 'in block order beside writers: the same rows');
# Dead rows: after the window that met them the scan goes from entry to entry and marks them.
for my $prefetch ('off', 'on')
{
	my $settings = $prefetch eq 'on' ? $loosely : $plain;
	($touched{$prefetch}) = buffers_touched($prefetch, $settings, 'sum(length(pad))');
}
cmp_ok($touched{on}, '<=', 1.1 * $touched{off}, "repeat scan over dead rows, in block order: $touched{on} buffers, stock $touched{off}");

# Passive where it is only advised, and gone where it is off.
like($node->safe_psql('postgres', "$plain SET query_shaper.prefetch = advise; EXPLAIN (COSTS OFF) SELECT v FROM item WHERE k < 9"),
	qr/Prefetch/, 'advice watches the plan');
unlike($node->safe_psql('postgres', "$plain SET query_shaper.prefetch = on; SET query_shaper.mode = observe; EXPLAIN (COSTS OFF) SELECT v FROM item WHERE k < 9"),
	qr/Prefetch/, 'not below mode advise');
cmp_ok($node->safe_psql('postgres', "SELECT value FROM query_shaper.metrics WHERE name = 'prefetches_used_total'"), '>', 1000, 'blocks were asked for and used');
is(log_count($node, qr/PANIC|terminated by signal|TRAP/), 0, 'no crash');
$node->stop;
done_testing();
