# A process hands the memory of a large statement back to the system when the statement ends, also by an error: what it
# reserved is promised to others then.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('give_back', 'query_shaper.min_cost = 1000', "query_shaper.memory_pool = '512MB'", "work_mem = '256kB'", 'hash_mem_multiplier = 1',
	'jit = off', 'query_shaper.replan = off', 'query_shaper.shadow = off', 'query_shaper.tick_interval = 5ms');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper; CREATE TABLE notes AS SELECT g AS id, md5(g::text) AS t FROM generate_series(1, 300000) g; ANALYZE notes');

my $held_kb = q{SELECT substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM 'RssAnon:\s+(\d+)');};
my $given_back = q{SELECT value FROM query_shaper.metrics WHERE name = 'heap_given_back_kb_total';};
# Its sorted rows take tens of MB; it sleeps when it holds them, so that handing them back is little of its time.
my $large = 'SELECT count(*) + length(pg_sleep(5)::text) FROM (SELECT id, t FROM notes ORDER BY t OFFSET 0) s';
my $peak_kb = q{SELECT max(peak_memory_kb) FROM query_shaper.history WHERE query LIKE '%ORDER BY t%';};

sub run_one
{
	my ($settings, $statement) = @_;
	my ($status, $output, $errors) = $node->psql('postgres', "$settings\n$held_kb\n$given_back\n$statement;\n$held_kb\n$given_back", on_error_stop => 0);
	my @lines = split /\n/, $output;
	splice @lines, 2, @lines - 4;    # what the statement gave
	return ($lines[2] - $lines[0], $lines[3] - $lines[1], $errors);
}

my ($kept, $given, $errors) = run_one('', $large);
is($errors, '', 'a large statement');
$node->safe_psql('postgres', 'SELECT query_shaper.flush()');
cmp_ok($node->safe_psql('postgres', $peak_kb), '>', 20000, 'it holds tens of MB');
cmp_ok($kept, '<', 10000, 'which its process does not keep');
cmp_ok($given, '>', 0, 'and the metrics tell');

# A short one before it teaches the allocator to take rows from the heap; what the function's first call keeps for the
# session then lies above the rows.
my ($short) = $large =~ s/\Qlength(pg_sleep(5)::text)\E/0/r;
my $body = 'IF false THEN ' . ('PERFORM 1; ' x 500) . 'END IF; RAISE division_by_zero;';
$node->safe_psql('postgres', "CREATE FUNCTION refuse_$_(bigint) RETURNS boolean LANGUAGE plpgsql AS \$\$BEGIN $body END\$\$") for qw(plain caught);
($kept, $given, $errors) = run_one('', "$short; $short HAVING refuse_plain(count(*) + length(pg_sleep(5)::text))");
like($errors, qr/division_by_zero/, 'one that fails');
cmp_ok($kept, '<', 10000, 'leaves nothing behind either');

my $failing = "$short HAVING refuse_caught(count(*) + length(pg_sleep(5)::text))";
($kept, $given, $errors) = run_one('', "$short; DO \$\$BEGIN PERFORM * FROM ($failing) f; EXCEPTION WHEN division_by_zero THEN NULL; END\$\$");
is($errors, '', 'one that fails where the error is caught');
cmp_ok($kept, '<', 10000, 'leaves nothing behind once the transaction commits');

(undef, $given) = run_one("SET query_shaper.memory = off;", $large);
is($given, 0, 'without memory of ours nothing is changed');

(undef, $given) = run_one("SET query_shaper.memory_node_max = '1MB';", $short);
is($given, 0, 'nor where a statement held little');

$node->stop;
done_testing();
