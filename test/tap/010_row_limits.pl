# Learned rows are bounded: what is least worth keeping goes, in memory and in the tables, and nothing else changes.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

sub metric
{
	my ($node, $name) = @_;
	return $node->safe_psql('postgres', "SELECT value FROM query_shaper.metrics WHERE name = '$name'");
}

my $node = new_node('limits', 'query_shaper.row_estimates_max = 100', 'query_shaper.history_max = 100');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($node, 'postgres');
run_correlated($node, 'postgres') for 1 .. 10;

# Each column list and comparison is a key of its own.
my @columns = map { "c$_" } 1 .. 20;
$node->safe_psql('postgres', 'CREATE TABLE wide (' . join(', ', map { "$_ int" } @columns) . ')');
$node->safe_psql('postgres', 'INSERT INTO wide SELECT ' . join(', ', map { "g % $_" } 3 .. 22) . ' FROM generate_series(1, 500) g');
$node->safe_psql('postgres', 'ANALYZE wide');
my $pairs = "SET query_shaper.min_cost = 0;\n";
my $count = 0;
for my $a (@columns)
{
	for my $b (grep { $_ gt $a } @columns)
	{
		$pairs .= "SELECT count(*) FROM wide WHERE $a = 1 AND $b > 1;\n";
		++$count;
	}
}
is(scalar(split /\n/, $node->safe_psql('postgres', $pairs)), $count, "$count statements of their own give their rows");
is(metric($node, 'row_estimates_capacity'), 100, 'the setting is the capacity');
cmp_ok(metric($node, 'row_estimates'), '<=', 100, 'no more are kept in memory');
cmp_ok(metric($node, 'row_estimates'), '>', 50, 'nor many fewer');
cmp_ok(metric($node, 'rows_evicted_total'), '>=', $count - 100, 'those that made room are counted');
is(estimate_of($node, 'postgres'), 400, 'what was seen often and planned badly outlives them');
flush($node, 'postgres');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM query_shaper.row_estimate_data'), '>', 50, 'rows are stored');

# A learner trims the tables when it starts.
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'query_shaper learner'"), 'the learner of before has ended');
flush($node, 'postgres');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM query_shaper.row_estimate_data'), '<=', 110, 'the table keeps no more');
$node->restart;
flush($node, 'postgres');
cmp_ok(metric($node, 'row_estimates'), '<=', 100, 'nor does memory after a restart');
cmp_ok(metric($node, 'row_estimates'), '>', 50, 'which has what was stored');

# Another database takes its share and gives it back with its end.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION query_shaper');
load_table($node, 'other');
run_correlated($node, 'other');
is(estimate_of($node, 'other'), 400, 'another database learns its own rows');
$node->safe_psql('postgres', 'SELECT query_shaper.reset()');
cmp_ok(estimate_of($node, 'postgres'), '<', 20, 'reset() forgets the rows of its database');
is(estimate_of($node, 'other'), 400, 'and of no other');
flush($node, 'other');
my $before = metric($node, 'row_estimates');
$node->safe_psql('postgres', 'DROP DATABASE other');
cmp_ok(metric($node, 'row_estimates'), '<', $before, 'rows go with their database');
is(log_count($node, qr/PANIC|terminated by signal/), 0, 'no crash');

# Room for more is address space, until something is learned.
sub shared_kb
{
	my ($node) = @_;
	my $pid = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	my ($kb) = slurp_file("/proc/$pid/status") =~ /^RssShmem:\s+(\d+) kB/m;
	return $kb;
}
sub reserved_mb
{
	my ($node) = @_;
	return $node->safe_psql('postgres', "SELECT setting FROM pg_settings WHERE name = 'shared_memory_size'");
}
$node->restart;
my ($few_kb, $few_mb) = (shared_kb($node), reserved_mb($node));
$node->append_conf('postgresql.conf', "query_shaper.row_estimates_max = 100000\nquery_shaper.history_max = 50000");
$node->restart;
my ($many_kb, $many_mb) = (shared_kb($node), reserved_mb($node));
cmp_ok($many_mb, '>', $few_mb + 100, 'tables of many entries are reserved');
cmp_ok($many_kb, '<', $few_kb + 20 * 1024, "and not written through at the start ($few_kb kB, $many_kb kB)");

$node->stop;
done_testing();
