# Nested loops whose outer rows are read 256 ahead, cached or not, give what nested loops give: kinds of joins and outer
# plans, cursors, subplans and parallel workers; beside updates and vacuum; under EvalPlanQual; with the same predicate
# locks and statistics; without more buffers over dead rows. What must not be read ahead is not.
use strict;
use warnings;
use lib '.';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('batched', 'shared_buffers = 8MB', "query_shaper.fault = 'prefetch:force_joins'",
	'query_shaper.prefetch_distance = 64', 'query_shaper.min_cost = 1000000000', 'query_shaper.late_tracking = 0',
	'max_connections = 30', 'max_pred_locks_per_transaction = 256', 'autovacuum = off');
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION query_shaper;
CREATE TABLE item(id int PRIMARY KEY, k int, g int, t text COLLATE "C", v numeric, gone int) WITH (fillfactor = 80);
INSERT INTO item SELECT i, (hashint4(i) & 2147483647) % 3000, i % 97, 'x' || (i % 1000), i * 0.5, i
  FROM generate_series(1, 30000) i;
UPDATE item SET k = NULL WHERE id % 211 = 0;
ALTER TABLE item DROP COLUMN gone;
CREATE INDEX item_k ON item(k);
CREATE INDEX item_gk ON item(g, k DESC);
CREATE INDEX item_t ON item(t);
CREATE INDEX item_part ON item(v) WHERE g < 20;
CREATE TABLE plain(id int, k bigint, w text);
INSERT INTO plain SELECT i, (hashint4(i) & 2147483647) % 3000, repeat('w', i % 60) FROM generate_series(1, 20000) i;
CREATE INDEX plain_k ON plain(k);
CREATE TABLE keys(a int, b int, c text, d numeric);
INSERT INTO keys SELECT i * 7 % 3100, i % 97, 'x' || (i * 3 % 1100), i FROM generate_series(1, 1500) i;
INSERT INTO keys SELECT NULL, i, NULL, NULL FROM generate_series(1, 20) i;
CREATE TABLE wide(a int, pad text);
ALTER TABLE wide ALTER pad SET STORAGE plain;
INSERT INTO wide SELECT i * 13 % 3100, repeat(chr(65 + i % 26), 7000) FROM generate_series(1, 600) i;
CREATE TABLE part(k int, v int) PARTITION BY RANGE (k);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (1500);
CREATE TABLE part_high PARTITION OF part FOR VALUES FROM (1500) TO (3001);
INSERT INTO part SELECT (hashint4(i) & 2147483647) % 3000, i FROM generate_series(1, 10000) i;
CREATE INDEX ON part(k);
CREATE TABLE part_keys(k int, b int) PARTITION BY RANGE (k);
CREATE TABLE part_keys_low PARTITION OF part_keys FOR VALUES FROM (0) TO (1500);
CREATE TABLE part_keys_high PARTITION OF part_keys FOR VALUES FROM (1500) TO (3001);
INSERT INTO part_keys SELECT i * 11 % 3000, i FROM generate_series(1, 900) i;
CREATE FUNCTION pass(int) RETURNS int VOLATILE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE SEQUENCE calls;
VACUUM ANALYZE;
SQL

my $nested = 'SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off; SET enable_bitmapscan = off;'
  . ' SET enable_seqscan = on; SET max_parallel_workers_per_gather = 0;';
my $heap = "$nested SET enable_indexonlyscan = off;";
my $parallel = 'SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off; SET max_parallel_workers_per_gather = 2;'
  . ' SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_index_scan_size = 0; SET min_parallel_table_scan_size = 0;';

# Everything ordered or aggregated without regard to order: the two plans need not agree there.
my @queries = (
	[ 'inner join', $nested, 'SELECT n.a, n.b, i.id FROM keys n JOIN item i ON i.k = n.a ORDER BY 1, 2, 3' ],
	[ 'order of the outer rows', $nested, 'SELECT n.a, n.b FROM keys n JOIN item i ON i.id = n.a' ],
	[ 'left join', $nested, 'SELECT n.a, n.b, i.id, i.v FROM keys n LEFT JOIN item i ON i.k = n.a AND i.v > 4000 ORDER BY 1, 2, 3' ],
	[ 'left join to a key', $nested, 'SELECT n.*, i FROM keys n LEFT JOIN item i ON i.id = n.a' ],
	[ 'semi join', $nested, 'SELECT n.* FROM keys n WHERE EXISTS (SELECT 1 FROM item i WHERE i.k = n.a AND i.v > 5000)' ],
	[ 'anti join', $nested, 'SELECT n.* FROM keys n WHERE NOT EXISTS (SELECT 1 FROM item i WHERE i.k = n.a AND i.v > 5000)' ],
	[ 'index-only', $nested, 'SELECT count(*), sum(i.k) FROM keys n JOIN item i ON i.k = n.a' ],
	[ 'two columns', $heap, 'SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.g = n.b AND i.k = n.a' ],
	[ 'column and range', $heap, 'SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.g = n.b AND i.k < n.a' ],
	[ 'column and constant', $heap, 'SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.g = n.b AND i.k > 2900' ],
	[ 'range', $heap, 'SELECT count(*), sum(p.id) FROM keys n JOIN plain p ON p.k > n.a AND p.k <= n.b' ],
	[ 'types of two kinds', $heap, 'SELECT count(*), sum(p.id) FROM keys n JOIN plain p ON p.k = n.a' ],
	[ 'numbers of any length', $heap, 'SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.v = n.d AND i.g < 20' ],
	[ 'text', $heap, 'SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.t = n.c COLLATE "C"' ],
	[ 'whole rows', $heap, 'SELECT n, i.id FROM keys n JOIN item i ON i.k = n.a ORDER BY n, i.id' ],
	[ 'system columns', $heap, 'SELECT n.ctid, n.tableoid::regclass, i.ctid FROM keys n JOIN item i ON i.k = n.a ORDER BY 1, 3' ],
	[ 'rows too wide to keep many', "$heap SET work_mem = '64kB';", 'SELECT count(*), sum(i.id), md5(string_agg(left(w.pad, 2), $$ $$ ORDER BY w.a, i.id)) FROM wide w JOIN item i ON i.k = w.a' ],
	[ 'limit', $heap, 'SELECT n.a, n.b FROM keys n JOIN item i ON i.id = n.a LIMIT 40' ],
	[ 'offset', $heap, 'SELECT n.a, n.b FROM keys n JOIN item i ON i.id = n.a OFFSET 500 LIMIT 10' ],
	[ 'sorted outer', $heap, 'SELECT count(*), sum(i.id) FROM (SELECT a, b FROM keys ORDER BY b, a OFFSET 0) n JOIN item i ON i.k = n.a' ],
	[ 'grouped outer', $heap, 'SELECT n.a, n.c, i.id FROM (SELECT a, count(*) AS c FROM keys GROUP BY a) n JOIN item i ON i.k = n.a ORDER BY 1, 3' ],
	[ 'function outer', $heap, 'SELECT count(*), sum(i.id) FROM generate_series(1, 900) n JOIN item i ON i.k = n' ],
	[ 'values outer', $heap, 'SELECT n.x, count(*) FROM (VALUES (1), (5), (NULL), (2900), (5)) n(x) JOIN item i ON i.k = n.x GROUP BY 1 ORDER BY 1' ],
	[ 'CTE outer', $heap, 'WITH w AS MATERIALIZED (SELECT a FROM keys) SELECT count(*), sum(i.id) FROM w JOIN item i ON i.k = w.a' ],
	[ 'joined outer', $heap, 'SELECT count(*), sum(j.id) FROM keys n JOIN item i ON i.id = n.a JOIN plain j ON j.k = i.k' ],
	[ 'outer of an outer join', $heap, 'SELECT count(*), count(i.id), sum(j.id) FROM keys n LEFT JOIN item i ON i.id = n.a + 29000 LEFT JOIN plain j ON j.k = i.k' ],
	[ 'lateral', $heap, 'SELECT n.a, l.s FROM keys n, LATERAL (SELECT sum(i.k) AS s FROM plain p JOIN item i ON i.id = p.id WHERE p.k = n.a) l ORDER BY 1, 2' ],
	[ 'correlated', $heap, 'SELECT sum((SELECT count(*) FROM plain p JOIN item i ON i.k = p.k WHERE p.id < n.b)) FROM keys n WHERE n.b < 40' ],
	[ 'correlated and stopped early', $heap, 'SELECT count(*) FROM keys n WHERE EXISTS (SELECT 1 FROM plain p LEFT JOIN item i ON i.id = p.id WHERE p.k = n.a AND i.g > 40 OFFSET 1)' ],
	[ 'self join', $heap, 'SELECT count(*), sum(b.id) FROM item a JOIN item b ON b.k = a.id WHERE a.id < 1500' ],
	[ 'append outer', $heap, 'SELECT count(*), sum(i.id) FROM part p JOIN item i ON i.id = p.v WHERE p.k < 1900' ],
	[ 'partitions', "$heap SET enable_partitionwise_join = on;", 'SELECT count(*), sum(p.v) FROM part_keys n JOIN part p ON p.k = n.k' ],
	[ 'unions', $heap, 'SELECT count(*), sum(i.id) FROM (SELECT a FROM keys UNION ALL SELECT id FROM plain WHERE id < 300) n JOIN item i ON i.k = n.a' ],
	[ 'parallel', "$heap $parallel", 'SELECT count(*), sum(i.id) FROM plain p JOIN item i ON i.k = p.k WHERE p.id < 3000' ],
	[ 'parallel in order', "$heap $parallel", 'SELECT p.id, i.id FROM plain p JOIN item i ON i.id = p.id ORDER BY p.id LIMIT 2000' ],
	[ 'update from', $heap, 'WITH w AS (UPDATE item i SET v = n.b FROM keys n WHERE i.k = n.a RETURNING i.id) SELECT count(DISTINCT id) FROM w' ],
	[ 'delete using', $heap, 'WITH w AS (DELETE FROM item i USING keys n WHERE i.k = n.a AND n.b < 50 RETURNING i.id) SELECT count(*), sum(id) FROM w' ],
	[ 'locking', $heap, 'SELECT n.a, i.id FROM keys n JOIN item i ON i.id = n.a FOR UPDATE' ],
);

sub both { return prefetched_both_ways($node, @_); }

sub plan_of
{
	my ($settings, $query) = @_;
	return $node->safe_psql('postgres', "$settings SET query_shaper.prefetch = on; EXPLAIN (COSTS OFF) $query");
}

for my $faults ('prefetch:force_joins', 'prefetch:force')
{
	for my $case (@queries)
	{
		my ($name, $settings, $query) = @$case;
		my $with = "SET query_shaper.fault = '$faults'; $settings";
		my ($stock, $ours) = both($with, "$query;");
		isnt($stock, '', "$name: has rows");
		is($ours, $stock, "$name: the same rows ($faults)");
		like(plan_of($with, $query), qr/Nested Loop.*\n.*Custom Scan \(Batch\)/, "$name: batched");
	}
}

# Rows really are read ahead and asked for.
my $told = $node->safe_psql('postgres', "$heap SET query_shaper.prefetch = on;"
	  . ' EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.k = n.a');
my ($asked) = $told =~ /"Prefetched Blocks": (\d+)/;
my ($ahead) = $told =~ /"Rows Ahead": (\d+)/;
cmp_ok($asked, '>', 100, "blocks are asked for: $asked");
is($ahead, 256, 'rows are read ahead');

# What was found for a row is what the inner scan begins with, where its own copy of a leaf page would be as good.
sub look_ups_spared
{
	my ($settings, $query) = @_;
	my $plan = $node->safe_psql('postgres', "$settings SET query_shaper.prefetch = on; EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) $query");
	my ($spared) = $plan =~ /"Look-Ups Spared": (\d+)/;
	return $spared;
}
$node->safe_psql('postgres', 'CREATE UNLOGGED TABLE scratch AS SELECT id, k FROM item; CREATE INDEX scratch_k ON scratch(k); VACUUM ANALYZE scratch');
cmp_ok(look_ups_spared($heap, 'SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.k = n.a'), '>', 100, 'look-ups are spared');
cmp_ok(look_ups_spared($heap, 'SELECT count(*), sum(i.v) FROM keys n JOIN item i ON i.g = n.b AND i.k = n.a'), '>', 1000, 'of two columns');
is(look_ups_spared($nested, 'SELECT count(*), sum(i.k) FROM keys n JOIN item i ON i.k = n.a'), 0, 'not of an index-only scan');
is(look_ups_spared($heap, 'SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.t = n.c COLLATE "C"'), 0, 'not by text');
is(look_ups_spared($heap, 'SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.g = n.b AND i.k < n.a'), 0, 'not of a range');
is(look_ups_spared($heap, 'SELECT count(*), sum(i.id) FROM keys n JOIN scratch i ON i.k = n.a'), 0, 'not of an index that is not logged');

# Cursors: fetched in pieces, scrolled, held, left early.
my @cursors = (
	[ 'forward', 'DECLARE c NO SCROLL CURSOR FOR SELECT n.a, n.b, i.id FROM keys n JOIN item i ON i.id = n.a;'
		  . ' FETCH 1 FROM c; FETCH 400 FROM c; FETCH 3 FROM c; MOVE 300 IN c; FETCH 5 FROM c; CLOSE c;' ],
	[ 'scroll', 'DECLARE c SCROLL CURSOR FOR SELECT n.a, n.b, i.id FROM keys n LEFT JOIN item i ON i.id = n.a;'
		  . ' FETCH 500 FROM c; FETCH BACKWARD 300 FROM c; FETCH 10 FROM c; FETCH LAST FROM c; FETCH FIRST FROM c; FETCH ABSOLUTE 750 FROM c; CLOSE c;' ],
	[ 'hold', 'DECLARE c CURSOR WITH HOLD FOR SELECT n.a, n.b FROM keys n JOIN item i ON i.id = n.a; FETCH 9 FROM c; CLOSE c;' ],
	[ 'beside own writes', 'DECLARE c CURSOR FOR SELECT n.a, i.id, i.v FROM keys n JOIN item i ON i.id = n.a; FETCH 50 FROM c;'
		  . ' UPDATE keys SET a = a + 1; DELETE FROM item WHERE id % 2 = 0; FETCH 200 FROM c; CLOSE c;' ]);
for my $case (@cursors)
{
	my ($stock, $ours) = both($heap, $case->[1]);
	is($ours, $stock, "cursor, $case->[0]: the same rows");
}
# Leaf pages split, rows go, their entries are marked dead and vacuumed, while the cursor holds what it found before.
{
	$node->safe_psql('postgres', 'CREATE TABLE moved AS SELECT * FROM item; CREATE UNIQUE INDEX moved_id ON moved(id); CREATE INDEX moved_k ON moved(k);'
		  . ' DELETE FROM moved WHERE id % 5 = 0; ANALYZE moved;');
	my $reader = $node->background_psql('postgres');
	$reader->query_safe("$heap SET query_shaper.prefetch = on; BEGIN ISOLATION LEVEL REPEATABLE READ;");
	for my $on ('i.id = n.a', 'i.k = n.a')
	{
		my $rows = "SELECT n.a, n.b, i.id, i.v FROM keys n LEFT JOIN moved i ON $on";
		$reader->query_safe("DECLARE c NO SCROLL CURSOR FOR $rows;");
		my $seen = $reader->query_safe('FETCH 30 FROM c;');
		$node->safe_psql('postgres', 'INSERT INTO moved SELECT id + 40000, k, g, t, v FROM item ON CONFLICT DO NOTHING; INSERT INTO moved SELECT id, k, g, t, v FROM item WHERE id % 5 = 0'
			  . ' ON CONFLICT DO NOTHING; DELETE FROM moved WHERE id % 3 = 0; SELECT count(k) FROM moved WHERE k >= 0; VACUUM moved;'
			  . ' INSERT INTO moved SELECT id, k + 1, g, t, v FROM item WHERE id % 3 = 0 ON CONFLICT DO NOTHING;');
		$seen .= "\n" . $reader->query_safe('FETCH ALL FROM c; CLOSE c;');
		my $stock = $reader->query_safe("SET LOCAL query_shaper.prefetch = off; $rows; SET LOCAL query_shaper.prefetch = on;");
		is(join("\n", sort split /\n/, $seen), join("\n", sort split /\n/, $stock), "cursor beside others' writes, $on: the same rows");
		isnt($stock, '', 'there are some');
	}
	$reader->query_safe('COMMIT;');
	$reader->quit;
}
my ($stock, $ours) = both($heap, join "\n",
	'PREPARE p(int, int) AS SELECT count(*), sum(i.id) FROM keys n JOIN item i ON i.g = n.b AND i.k > $1 WHERE n.a < $2;',
	map({ "EXECUTE p($_ * 100, $_ * 200);" } 1 .. 8), 'DEALLOCATE p;');
is($ours, $stock, 'prepared statement: the same rows');

# What must not be read ahead.
for my $case (
	[ 'volatile outer rows', 'SELECT count(*) FROM (SELECT pass(a) AS a FROM keys) n JOIN item i ON i.k = n.a' ],
	[ 'volatile filter', 'SELECT count(*) FROM keys n JOIN item i ON i.k = n.a WHERE pass(n.b) > 3' ],
	[ 'sequence', "SELECT count(*) FROM (SELECT a, nextval('calls') FROM keys OFFSET 0) n JOIN item i ON i.k = n.a" ],
	[ 'locking outer', 'SELECT count(*) FROM (SELECT a FROM keys FOR UPDATE) n JOIN item i ON i.k = n.a' ],
	[ 'writing outer', 'WITH w AS (UPDATE keys SET b = b + 1 RETURNING a) SELECT count(*) FROM (SELECT a FROM w) n JOIN item i ON i.k = n.a WHERE pass(n.a) > 0' ],
	[ 'computed key', 'SELECT count(*) FROM keys n JOIN item i ON i.id = n.a / n.b WHERE n.b > 0' ])
{
	my ($name, $query) = @$case;
	my $plan = plan_of($heap, $query);
	like($plan, qr/Nested Loop/, "$name: a nested loop");
	unlike($plan, qr/Batch/, "$name: not read ahead");
}

# Not one outer row more is locked or called for than stock's.
my @counts;
for my $prefetch ('off', 'on')
{
	push @counts, $node->safe_psql('postgres', "$heap SET query_shaper.prefetch = $prefetch; SELECT setval('calls', 1);"
		  . " SELECT n.a FROM (SELECT a, nextval('calls') FROM keys OFFSET 0) n JOIN item i ON i.id = n.a LIMIT 60; SELECT last_value FROM calls;");
}
is($counts[1], $counts[0], 'a sequence is called as often');

# Predicate locks, also of one that stops early.
sub predicate_locks
{
	my ($prefetch, $query) = @_;
	return $node->safe_psql('postgres',
		"$heap SET query_shaper.prefetch = $prefetch; BEGIN ISOLATION LEVEL SERIALIZABLE; DO \$\$ BEGIN PERFORM * FROM ($query) q; END \$\$;"
		  . " SELECT locktype, relation::regclass, page, tuple FROM pg_locks WHERE mode = 'SIReadLock' ORDER BY 1, 2, 3, 4; COMMIT;");
}
for my $query (
	'SELECT n.a, i.id FROM keys n JOIN item i ON i.id = n.a WHERE n.b < 5',
	'SELECT p.id, i.id FROM plain p JOIN item i ON i.id = p.id WHERE p.k < 40 LIMIT 4',
	'SELECT n.a FROM keys n WHERE NOT EXISTS (SELECT 1 FROM item i WHERE i.k = n.a AND i.v > 5000) LIMIT 3')
{
	my $locks = predicate_locks('off', $query);
	isnt($locks, '', 'predicate locks are taken');
	is(predicate_locks('on', $query), $locks, "the same predicate locks: $query");
}
like($node->safe_psql('postgres', "$heap SET query_shaper.prefetch = on; BEGIN ISOLATION LEVEL SERIALIZABLE;"
		  . ' EXPLAIN (ANALYZE, TIMING OFF) SELECT count(*) FROM keys n JOIN item i ON i.k = n.a; COMMIT;'),
	qr/Not Read Ahead: the transaction is serializable/, 'EXPLAIN tells why not');

# The look-ups count as stock's do.
my %seen;
for my $prefetch ('off', 'on')
{
	$node->safe_psql('postgres', 'SELECT pg_stat_reset()');
	$node->safe_psql('postgres', "$heap SET query_shaper.prefetch = $prefetch; SELECT count(i.v) FROM keys n JOIN item i ON i.k = n.a;"
		  . ' SELECT pg_stat_force_next_flush();');
	$seen{$prefetch} =
	  $node->safe_psql('postgres', "SELECT idx_scan, idx_tup_read, idx_tup_fetch FROM pg_stat_user_indexes WHERE indexrelname = 'item_k'");
}
is($seen{on}, $seen{off}, 'the index counts the same scans and entries');

# Dead rows: the first join marks their entries, the second does not come to them in its table.
sub buffers_touched
{
	my ($prefetch) = @_;
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS dead; CREATE TABLE dead(k int, pad text);'
		  . " INSERT INTO dead SELECT i % 400, repeat('p', 200) FROM generate_series(1, 12000) i; CREATE INDEX dead_k ON dead(k);"
		  . ' DELETE FROM dead WHERE k % 10 <> 0;');
	my $scan = "$heap SET query_shaper.prefetch = $prefetch; SET query_shaper.fault = '" . ($prefetch eq 'on' ? 'prefetch:force_joins' : '')
	  . "'; EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON, TIMING OFF) SELECT sum(length(pad)) FROM generate_series(1, 400) n JOIN dead d ON d.k = n;";
	my $plan = $node->safe_psql('postgres', $scan) && $node->safe_psql('postgres', $scan);
	# The inner scan's own, which stands last.
	my @inner = split /"Relation Name": "dead"/, $plan;
	my ($inner_hit) = $inner[1] =~ /"Shared Hit Blocks": (\d+)/;
	my ($inner_read) = $inner[1] =~ /"Shared Read Blocks": (\d+)/;
	return $inner_hit + $inner_read;
}
my ($before, $with) = (buffers_touched('off'), buffers_touched('on'));
cmp_ok($with, '<=', 1.1 * $before, "repeated look-ups of dead rows: $with buffers, stock $before");

# EvalPlanQual: the row that is waited for is checked again with its new version, through the same nodes.
for my $prefetch ('off', 'on')
{
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS seat; CREATE TABLE seat(id int, k int, n int);'
		  . ' INSERT INTO seat SELECT i, i, 0 FROM generate_series(1, 300) i; ANALYZE seat;');
	my $first = $node->background_psql('postgres');
	$first->query_safe('BEGIN; UPDATE seat SET k = k + 1, n = 1 WHERE id IN (5, 250);');
	my ($out, $err) = ('', '');
	my $second = IPC::Run::start(
		[ 'psql', '-X', '-At', '-h', $node->host, '-p', $node->port, '-d', 'postgres', '-c', $heap, '-c', "SET query_shaper.prefetch = $prefetch",
			'-c', 'UPDATE seat s SET n = s.n + i.id FROM item i WHERE i.id = s.k AND s.id < 280' ], '>', \$out, '2>', \$err);
	$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted");
	$first->query_safe('COMMIT;');
	$first->quit;
	$second->finish;
	is($err, '', 'the second writer ends well');
	$seen{"seats $prefetch"} = $node->safe_psql('postgres', 'SELECT count(*), sum(n), sum(k) FROM seat');
}
is($seen{'seats on'}, $seen{'seats off'}, 'EvalPlanQual: the same rows');

# Beside writers: both plans under one snapshot see the same rows.
my $script = PostgreSQL::Test::Utils::tempdir . '/writes.sql';
append_to_file($script, <<'SQL');
\set a random(1, 30000)
\set b random(0, 2999)
UPDATE item SET v = v + 1 WHERE id BETWEEN :a AND :a + 20;
UPDATE item SET k = :b WHERE id = :a;
DELETE FROM plain WHERE id BETWEEN :a AND :a + 5;
INSERT INTO plain SELECT :a + i, (:b + i * 37) % 3000, repeat('w', i * 5) FROM generate_series(0, 6) i;
UPDATE keys SET d = d + 1 WHERE a = :b;
SQL
my $vacuum = PostgreSQL::Test::Utils::tempdir . '/vacuum.sql';
# To truncate, VACUUM would wait up to 5 s for readers to be gone, and here they never are.
append_to_file($vacuum, "VACUUM (TRUNCATE off) item;\nVACUUM (TRUNCATE off) plain;\nVACUUM (TRUNCATE off) keys;\n");
my ($out, $err) = ('', '');
my $writers = IPC::Run::start(
	[ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', 3, '-t', 1200, '-f', "$script\@20", '-f', "$vacuum\@1", 'postgres' ],
	'>', \$out, '2>', \$err);
my ($rounds, $wrong) = (0, 0);
while ($writers->pumpable)
{
	$writers->pump_nb;
	for my $case (grep { $_->[0] =~ /^(inner join|left join|semi join|anti join|index-only|two columns|column and range|lateral|correlated|joined outer|parallel)$/ } @queries)
	{
		my ($name, $settings, $query) = @$case;
		# Rows of a semi or anti join come as the table has them, which another writer does not change within a snapshot.
		my ($stock_rows, $our_rows) = both($settings, "$query;");
		next if $stock_rows eq $our_rows;
		$wrong++;
		diag("$name beside writers:\nstock $stock_rows\nours $our_rows");
	}
	$rounds++;
	last if $wrong > 3;
}
$writers->kill_kill if $wrong > 3;
$writers->finish;
is($wrong, 0, 'beside writers: the same rows');
cmp_ok($rounds, '>=', 2, "in $rounds rounds");
unlike($err, qr/aborted|ERROR/, 'no writer was disturbed');

is(log_count($node, qr/PANIC|terminated by signal|TRAP|WARNING.*(leak|query_shaper)/), 0, 'nothing amiss in the log');
$node->stop;
done_testing();
