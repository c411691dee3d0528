# A publication of all tables takes the extension's own tables in, which have no key: the learner writes them all the same.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('publisher');
$node->append_conf('postgresql.conf', "wal_level = 'logical'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
load_table($node, 'postgres');
$node->safe_psql('postgres', 'CREATE PUBLICATION everything FOR ALL TABLES');
run_statement($node, 'postgres', 3);
ok(wait_calls($node, 'postgres', 3), 'three runs are in the history');
flush($node, 'postgres');
run_statement($node, 'postgres', 2);
ok(wait_calls($node, 'postgres', 5), 'their row is updated');
flush($node, 'postgres');
is($node->safe_psql('postgres', "SELECT sum(value) FROM query_shaper.metrics WHERE name = 'learner_failures_total'"), 0, 'no learner failed');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_publication_tables p JOIN pg_class c ON c.relname = p.tablename JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = p.schemaname WHERE n.nspname = 'query_shaper' AND c.relreplident NOT IN ('f', 'i') AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)"), 0,
	'every published table of the extension can be updated');
is(log_count($node, qr/cannot update table|cannot delete from table/), 0, 'nothing was refused');

$node->stop;
done_testing();
