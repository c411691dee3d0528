# Plans replaced by force at every occasion, in every way to run a statement; failures and cancels in the middle of it.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use QueryShaperNode;

my $node = new_node('replan');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION query_shaper');
$node->safe_psql('postgres', q{
	CREATE TABLE left_side AS SELECT g AS id, g % 90 AS k FROM generate_series(1, 3000) g;
	CREATE TABLE right_side AS SELECT g AS id, g % 3000 AS l, g % 7 AS v FROM generate_series(1, 9000) g;
	INSERT INTO right_side SELECT NULL, NULL, 1 FROM generate_series(1, 50);
	CREATE TABLE target (n bigint);
	ANALYZE;
	CREATE FUNCTION in_plpgsql(k1 int) RETURNS bigint STABLE LANGUAGE plpgsql AS $$
	DECLARE n bigint;
	BEGIN
		SELECT count(*) INTO n FROM left_side a JOIN right_side b ON b.l = a.id WHERE a.k = k1;
		RETURN n;
	EXCEPTION WHEN OTHERS THEN RETURN -1;
	END $$;
	CREATE FUNCTION by_definer(c refcursor) RETURNS refcursor SECURITY DEFINER LANGUAGE plpgsql AS $$
	BEGIN
		OPEN c FOR SELECT count(*) FROM left_side a JOIN right_side b ON b.l = a.id;
		RETURN c;
	END $$;
	CREATE FUNCTION in_sql(k1 int) RETURNS SETOF bigint STABLE LANGUAGE sql AS $$
		SELECT count(*) FROM left_side a JOIN right_side b ON b.l = a.id WHERE a.k < k1 GROUP BY a.k ORDER BY 1 $$;
	CREATE FUNCTION one_of_many(v int) RETURNS SETOF int STABLE LANGUAGE plpgsql ROWS 1000000 AS $$
	BEGIN RETURN QUERY SELECT v; END $$;
	CREATE ROLE guest;
});

my $force = q{SET query_shaper.min_cost = 0; SET query_shaper.replan_factor = 1; SET query_shaper.replan_min_time = 0;
	SET query_shaper.replan_limit = 6; };
my $join = 'FROM left_side a JOIN right_side b ON b.l = a.id';

sub metric
{
	my ($name) = @_;
	return $node->safe_psql('postgres', "SELECT value FROM query_shaper.metrics WHERE name = '$name'");
}

# The same script without and with plans replaced; every statement comes several times, as each time is interrupted elsewhere.
sub same
{
	my ($what, $script) = @_;
	my $plain = $node->safe_psql('postgres', 'SET query_shaper.mode = off;' . $script x 6);
	my $forced = $node->safe_psql('postgres', "$force SET query_shaper.fault = 'replan:force';" . $script x 6);
	is($forced, $plain, "$what: the same rows");
	return;
}

same('plain', "SELECT a.k, count(*), sum(b.v) $join GROUP BY 1 ORDER BY 1; SELECT count(*) FROM (SELECT b.id $join ORDER BY b.v, b.id) x;");
same('outer joins', 'SELECT count(*), count(a.id), count(b.v), sum(b.id) FROM left_side a FULL JOIN right_side b ON b.l = a.id AND a.k < 30;'
	  . 'SELECT count(*), count(b.v) FROM left_side a LEFT JOIN right_side b ON b.l = a.id;');
same('semi and anti joins', 'SELECT count(*), sum(id) FROM left_side a WHERE EXISTS (SELECT FROM right_side b WHERE b.l = a.id AND b.v = 3);'
	  . 'SELECT count(*), sum(id) FROM left_side a WHERE NOT EXISTS (SELECT FROM right_side b WHERE b.l = a.id AND b.v = 3);');
same('CTE read twice', "WITH c AS MATERIALIZED (SELECT a.k, count(*) AS n $join GROUP BY 1) SELECT count(*), sum(x.n) FROM c x JOIN c y ON x.n = y.n WHERE y.k > 5;");
# One query of WITH in two places: what was finished of the one is not the other's.
same('a query of WITH put in twice', join('', map { "WITH x AS NOT MATERIALIZED (SELECT a.k, b.v, count(*) AS n, max(b.id) AS last $join GROUP BY 1, 2)"
	  . " SELECT count(*), sum(u.n + v.n), min(u.last) FROM x u JOIN x v ON v.k = u.k JOIN left_side c ON c.id = v.k WHERE u.v = $_ AND v.v <> 3;" } 0 .. 9));
my $kept = metric('replan_kept_rows_total');
same('subqueries', "SELECT count(*), sum(x.v), sum(a.k) FROM (SELECT DISTINCT ON (b.l, b.v) b.l, b.v FROM right_side b ORDER BY b.l, b.v, b.id DESC) x JOIN left_side a ON a.id = x.l;"
	  . "SELECT count(*), sum(x.n * a.k) FROM left_side a JOIN (SELECT b.l, count(*) AS n FROM right_side b GROUP BY 1) x ON x.l = a.id JOIN left_side c ON c.id = a.id;"
	  . "WITH g AS NOT MATERIALIZED (SELECT b.l, b.v, count(*) AS n FROM right_side b GROUP BY 1, 2) SELECT count(*), sum(x.n + y.n) FROM g x JOIN g y ON y.l = x.l WHERE x.v = 3 AND y.v <> 3;");
cmp_ok(metric('replan_kept_rows_total'), '>', $kept, 'finished work of subqueries is kept');
same('cursors', "BEGIN; DECLARE c CURSOR FOR SELECT a.id, b.v $join ORDER BY 1, 2; FETCH 3 FROM c; FETCH 2 FROM c; COMMIT;"
	  . "BEGIN; DECLARE c SCROLL CURSOR FOR SELECT a.id, b.v $join ORDER BY 1, 2; FETCH 3 FROM c; FETCH BACKWARD 2 FROM c; FETCH LAST FROM c; COMMIT;"
	  . "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT a.id, b.v $join ORDER BY 1, 2; COMMIT; FETCH 3 FROM c; CLOSE c;");
same('CREATE TABLE AS and COPY', "CREATE TABLE made AS SELECT a.k, count(*) AS n $join GROUP BY 1; SELECT sum(k), sum(n) FROM made; DROP TABLE made;"
	  . "COPY (SELECT a.k, count(*) $join GROUP BY 1 ORDER BY 1) TO STDOUT;");
same('functions', 'SELECT in_plpgsql(7), in_plpgsql(8); SELECT sum(s) FROM in_sql(40) s; SELECT in_plpgsql(g) FROM generate_series(1, 3) g;');
same('EXECUTE', "PREPARE p(int) AS SELECT count(*) $join WHERE a.k = \$1; EXECUTE p(1); EXECUTE p(2); EXECUTE p(3); DEALLOCATE p;");
same('SERIALIZABLE and savepoints', "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) $join; SAVEPOINT s; SELECT sum(b.v) $join; ROLLBACK TO s; SELECT max(b.id) $join; COMMIT;");
same('parallel', "SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;"
	  . "SELECT a.k, count(*), sum(b.v) $join GROUP BY 1 ORDER BY 1;"
	  . "SELECT count(*) FROM (SELECT b.v, b.id $join OFFSET 0) x JOIN left_side y ON y.id = x.id;");
same('spilled to files', "SET work_mem = '64kB'; SELECT count(*), sum(b.id + c.v) $join JOIN right_side c ON c.id = b.id;");
# A join whose outer rows ask for none of its files throws them away at its end: what is left is no longer its input.
same('a hash join that is over', "SET work_mem = '64kB'; SET query_shaper.memory = off; SET query_shaper.grow_memory = off;"
	  . 'SET enable_nestloop = off; SET enable_mergejoin = off;'
	  . join('', map { "SELECT b.v, count(*) FROM one_of_many($_) m JOIN right_side b ON b.l = m GROUP BY 1 ORDER BY 1;" } 1 .. 20));
cmp_ok(metric('replans_total'), '>=', 50, 'plans were replaced all the while');
cmp_ok(metric('replan_kept_rows_total'), '>=', 1000, 'and finished work was kept');

# A cursor opened under other rights keeps its plan.
is($node->safe_psql('postgres', "$force SET query_shaper.fault = 'replan:force'; SET ROLE guest; BEGIN; SELECT by_definer('c'); FETCH ALL FROM c; COMMIT;"),
	"c\n8997", 'a cursor of a security definer function is read by its caller');

# Nothing of it stays behind.
my $many = $node->safe_psql('postgres', "$force SET query_shaper.fault = 'replan:force';"
	  . "SELECT count(*) $join;" x 20
	  . 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts;'
	  . "SELECT count(*) $join;" x 400
	  . 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts;');
my ($early, $late) = ((split /\n/, $many)[20], (split /\n/, $many)[421]);
cmp_ok($late, '<=', $early + 300_000, "memory is the same after 400 statements more ($early, $late)");

# Planning fails: the statement goes on by the plan it has.
my $offset = -s $node->logfile;
is($node->safe_psql('postgres', "$force SET query_shaper.learn_rows = off; SET query_shaper.fault = 'replan_planning:error'; SELECT count(*) $join WHERE a.k + 0 = 5;"),
	'102', 'a statement that cannot be planned again ends by its own plan');
cmp_ok(log_count($node, qr/could not plan a running statement again/, $offset), '>=', 1, 'the log says so');
flush($node, 'postgres');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM query_shaper.events WHERE action = 'replan' AND verdict = 'failed'"), '>=', 1, 'and so do events');

# The old plan has ended and the new one does not start: the statement fails as any other does.
my $errors = $node->safe_psql('postgres', "$force CREATE TEMP TABLE tried (k int, n bigint);"
	  . "SET query_shaper.fault = 'replan:force,replan_swap:error';"
	  . 'DO $$ BEGIN FOR k IN 0..89 LOOP INSERT INTO tried VALUES (k, in_plpgsql(k)); END LOOP; END $$;'
	  . 'SET query_shaper.mode = off;'
	  . "SELECT count(*) FILTER (WHERE n = -1) > 0, count(*) FILTER (WHERE n <> -1 AND n <> (SELECT count(*) $join WHERE a.k = tried.k)) FROM tried;");
is($errors, 't|0', 'an exception block takes the failure of a swap, and the next statement is right');
my ($status, $out, $err) = $node->psql('postgres', "$force SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0;"
	  . 'SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;'
	  . "SET query_shaper.fault = 'replan:force,replan_swap:error';"
	  . "SELECT 'n', count(*) FROM (SELECT b.v, b.id $join OFFSET 0) x JOIN left_side y ON y.id = x.id;" x 12
	  . "RESET query_shaper.fault; SELECT 'end', count(*) $join;", on_error_stop => 0);
like($err, qr/fault point "replan_swap" raised/, 'parallel plans are swapped, too');
like($out, qr/^(n\|2999\n)*end\|8997$/, 'and what does not fail is right');

# Workers of a parallel plan given up end as under a LIMIT.
is(log_count($node, qr/WARNING|PANIC|TRAP|terminated by signal/), 0, 'no warning, no crash');
is(log_count($node, qr/terminating background worker|dynamic shared/), 0, 'no worker was shot');

$node->stop;
done_testing();
