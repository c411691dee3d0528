# Access patterns and partition hints: kept over restarts and crashes, followed by a standby, dumped, carried and removed.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $create = <<'END';
CREATE FUNCTION teach(relation oid, index oid, blocks int[], issued float8, used float8, wasted float8) RETURNS void
LANGUAGE c AS 'query_shaper', 'query_shaper_teach_access';
CREATE FUNCTION recall(relation oid, index oid) RETURNS text LANGUAGE c AS 'query_shaper', 'query_shaper_recall_access';
END

sub patterns
{
	my ($node, $database) = @_;
	return $node->safe_psql($database // 'postgres',
		"SELECT relation, index_name, pattern, extent_blocks, round(hit_ratio::numeric, 2), round(wasted_ratio::numeric, 2),
		transitions > 0, hinted FROM query_shaper.access_patterns ORDER BY relation, index_name");
}

my $node = new_node('patterns', 'query_shaper.access_patterns_max = 16');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
$node->safe_psql('postgres', "CREATE TABLE strided (k int PRIMARY KEY); CREATE TABLE mixed (k int); $create");
load_table($node, 'postgres');
run_statement($node, 'postgres');
flush($node, 'postgres');

my $stride = "ARRAY(SELECT g * 9 FROM generate_series(1, 200) g)";
my $random = "ARRAY(SELECT (random() * 1e6)::int FROM generate_series(1, 200) g)";
my $strided = "'strided'::regclass, 'strided_pkey'::regclass";
my $mixed = "'mixed'::regclass, 0";
is($node->safe_psql('postgres', "SELECT recall($strided)"), 'new plain unknown 1', 'nothing is known at first');
$node->safe_psql('postgres', "SELECT teach($strided, $stride, 180, 170, 5)") for 1 .. 3;
$node->safe_psql('postgres', "SELECT teach($mixed, $random, 0, 0, 0)");
is($node->safe_psql('postgres', "SELECT recall($strided)"), 'known plain strided 1', 'it is recalled at once');
flush($node, 'postgres');
my $expected = "public.mixed||random|1|0.00||t|f\npublic.strided|strided_pkey|strided|1|0.85|0.03|t|f";
is(patterns($node), $expected, 'the view shows what scans saw');

# Durable.
$node->restart;
flush($node, 'postgres');
is($node->safe_psql('postgres', "SELECT recall($strided)"), 'known plain strided 1', 'a restart keeps it');
$node->safe_psql('postgres', "SELECT teach($strided, $stride, 180, 170, 5)");
flush($node, 'postgres');
$node->stop('immediate');
$node->start;
flush($node, 'postgres');
is(patterns($node), $expected, 'a crash keeps it');

# A hint stands until measurement says otherwise; the statement's own before the table's.
$node->safe_psql('postgres', "SELECT query_shaper.set_partition_hint('mixed', 'clustered', 32)");
is($node->safe_psql('postgres', "SELECT recall($mixed)"), 'known hinted clustered 32', 'a hint is taken at its word');
is($node->safe_psql('postgres', "SET query_shaper.partition_hint = 'mixed=sequential:8'; SELECT recall($mixed)"), 'known hinted sequential 8', 'that of the statement first');
$node->safe_psql('postgres', "SELECT teach($mixed, $random, 0, 0, 0)") for 1 .. 3;
is($node->safe_psql('postgres', "SELECT recall($mixed)"), 'known hinted random 1', 'measurement overrules it');

# Other sessions see a change of hints, and a rename does not lose them.
my $session = $node->background_psql('postgres');
like($session->query("SELECT recall('strided'::regclass, 0)"), qr/new plain unknown/, 'no hint yet');
$node->safe_psql('postgres', "SELECT query_shaper.set_partition_hint('strided', 'cyclic')");
like($session->query("SELECT recall('strided'::regclass, 0)"), qr/new hinted cyclic 1/, 'a running session sees the hint');
$node->safe_psql('postgres', 'ALTER TABLE strided RENAME TO renamed');
like($session->query("SELECT recall('renamed'::regclass, 0)"), qr/new hinted cyclic 1/, 'it follows a rename');
$node->safe_psql('postgres', 'ALTER TABLE renamed RENAME TO strided');
$node->safe_psql('postgres', "SELECT query_shaper.drop_partition_hint('strided')");
like($session->query("SELECT recall('strided'::regclass, 0)"), qr/new plain unknown/, 'and its end');
$session->quit;

# Standby.
flush($node, 'postgres');
my $backup = 'copy';
$node->backup($backup);
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, $backup, has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is(patterns($standby), patterns($node), 'a standby shows the same');
run_statement($standby, 'postgres');
$standby->poll_query_until('postgres', "SELECT recall($strided) = 'known plain strided 1'");
is($standby->safe_psql('postgres', "SELECT recall($mixed)"), 'known hinted random 1', 'and scans with it');
my ($status, $out, $err) = $standby->psql('postgres', "SELECT query_shaper.set_partition_hint('mixed', 'cyclic')");
like($err, qr/read-only transaction|during recovery/, 'hints are not set there');
$standby->stop;

# Dump and restore, into a database whose relations have other OIDs.
my $dump = $node->backup_dir . '/patterns.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, 'postgres' ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE target');
$node->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $dump, 'target' ], 'restored');
is(patterns($node, 'target'), patterns($node), 'a dump carries patterns and hints');
run_statement($node, 'target');
flush($node, 'target');
is($node->safe_psql('target', "SELECT recall($mixed)"), 'known hinted random 1', 'and they work there');

# Export, reset, import.
my $knowledge = $node->safe_psql('postgres', 'SELECT query_shaper.export_knowledge()');
$node->safe_psql('postgres', 'SELECT query_shaper.reset()');
flush($node, 'postgres');
is(patterns($node), 'public.mixed||clustered|32|||f|t', 'reset() leaves what the owner said alone');
is($node->safe_psql('postgres', "SELECT recall($strided)"), 'new plain unknown 1', 'nothing is known any more');
$knowledge =~ s/'/''/g;
$node->safe_psql('postgres', "SELECT query_shaper.import_knowledge('$knowledge')");
flush($node, 'postgres');
is($node->safe_psql('postgres', "SELECT recall($strided)"), 'known plain strided 1', 'import_knowledge() brings it back');

# Damage, and relations that are gone.
$node->safe_psql('postgres', "UPDATE query_shaper.access_pattern_data SET state = set_byte(state, 60, 255 - get_byte(state, 60)) WHERE name = 'strided'");
$node->safe_psql('postgres', 'DROP TABLE mixed');
my $offset = -s $node->logfile;
$node->restart;
run_statement($node, 'postgres');
flush($node, 'postgres');
is(log_count($node, qr/stored access patterns are corrupt/, $offset), 1, 'damage is logged once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM query_shaper.access_pattern_data'), 0, 'damaged rows and those of dropped tables are removed');
is(patterns($node), '', 'the view shows neither');

# Bounded: the least recently seen makes room.
$node->safe_psql('postgres', "CREATE TABLE many_$_ (k int); SELECT teach('many_$_'::regclass, 0, $stride, 0, 0, 0)") for 1 .. 20;
is($node->safe_psql('postgres', "SELECT left(recall('many_20'::regclass, 0), 5) || left(recall('many_1'::regclass, 0), 3)"), 'knownnew', 'shared memory keeps the latest');
flush($node, 'postgres');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM query_shaper.access_pattern_data'), '<=', 20, 'the table is bounded too');
# Scans that read ahead teach what they saw, begin as they are told, and are not led astray.
$node->append_conf('postgresql.conf', "shared_buffers = 1MB\nquery_shaper.fault = 'prefetch:force'\nquery_shaper.prefetch = on\n"
	. "enable_seqscan = off\nenable_bitmapscan = off\nenable_indexonlyscan = off\nmax_parallel_workers_per_gather = 0");
$node->restart;
$node->safe_psql('postgres', 'CREATE TABLE shuffled AS SELECT g AS id, hashint4(g) AS k, repeat($$x$$, 300) AS t FROM generate_series(1, 20000) g');
$node->safe_psql('postgres', 'CREATE INDEX shuffled_k ON shuffled (k); CREATE INDEX shuffled_id ON shuffled (id); VACUUM ANALYZE shuffled');
my $scan = 'SELECT sum(id) FROM shuffled WHERE k BETWEEN -100000000 AND 100000000';
like($node->safe_psql('postgres', "EXPLAIN (COSTS OFF) $scan"), qr/Custom Scan \(Prefetch\)/, 'a scan that reads ahead');
my $right = $node->safe_psql('postgres', "SET query_shaper.mode = off; $scan");
for my $hint (qw(sequential random:64 cyclic clustered:128))
{
	is($node->safe_psql('postgres', "SET query_shaper.partition_hint = 'shuffled=$hint'; $scan"), $right, "a wrong hint ($hint) changes no result");
}
$node->append_conf('postgresql.conf', "query_shaper.fault = ''");
$node->reload;

# Below a nested loop each key leads to one block: only the model sees the stride of the next. Cold for the scan, as its
# reads have to be slow for a model to be asked: forced.
my $probe = "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off; SET query_shaper.fault = 'prefetch:force';"
  . ' SELECT count(*), sum(s.k::bigint) FROM generate_series(1, 20000, 60) o(id), LATERAL (SELECT k FROM shuffled s WHERE s.id = o.id OFFSET 0) s';
my $metric = sub { $node->safe_psql('postgres', "SELECT value FROM query_shaper.metrics WHERE name = '$_[0]'") };
my $stock = $node->safe_psql('postgres', "SET query_shaper.mode = off; $probe");
my ($asked, $used) = ($metric->('predictions_total'), $metric->('predictions_used_total'));
is($node->safe_psql('postgres', $probe), $stock, 'its rows are the same while blocks are predicted');
$asked = $metric->('predictions_total') - $asked;
$used = $metric->('predictions_used_total') - $used;
cmp_ok($asked, '>', 100, "a strided nested loop is predicted: $asked blocks");
cmp_ok($used, '>=', 0.95 * $asked, "and rightly: $used");
my $random = "SELECT count(*) FROM (SELECT (random() * 20000)::int AS id FROM generate_series(1, 2000)) o, LATERAL (SELECT k FROM shuffled s WHERE s.id = o.id OFFSET 0) s";
$asked = $metric->('predictions_total');
$node->safe_psql('postgres', "SET query_shaper.fault = 'prefetch:force'; SELECT count(*) FROM query_shaper.reset(); $random");
cmp_ok($metric->('predictions_total') - $asked, '<=', 40, 'where nothing can be foretold the gate stays shut');
$node->stop;
done_testing();
