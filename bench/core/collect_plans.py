#!/usr/bin/env python3
"""Runs the workload's templates on a stock server and writes plans and outcomes for predict_replay.

    collect_plans.py ROUNDS OUT     with psql's environment (PGHOST, PGPORT, PGUSER) naming a server that holds the
                                    databases gene and stats

Every statement runs under EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF, BUFFERS, VERBOSE). Layout: see predict_replay.cpp.
"""
import hashlib
import json
import pathlib
import random
import re
import subprocess
import sys
import time

WORKLOAD = pathlib.Path(__file__).resolve().parent.parent / "workload"
# Numbers of core/plan/plan_tree.h.
OPERATORS = {name: number for number, name in enumerate([
    "Other", "Result", "ProjectSet", "ModifyTable", "Append", "Merge Append", "Recursive Union", "BitmapAnd",
    "BitmapOr", "Nested Loop", "Merge Join", "Hash Join", "Seq Scan", "Sample Scan", "Index Scan", "Index Only Scan",
    "Bitmap Index Scan", "Bitmap Heap Scan", "Tid Scan", "Tid Range Scan", "Subquery Scan", "Function Scan",
    "Values Scan", "Table Function Scan", "CTE Scan", "Named Tuplestore Scan", "WorkTable Scan", "Foreign Scan",
    "Custom Scan", "Materialize", "Memoize", "Sort", "Incremental Sort", "Group", "Aggregate", "WindowAgg", "Unique",
    "Gather", "Gather Merge", "Hash", "SetOp", "LockRows", "Limit"])}
JOINS = {"Inner": 1, "Left": 2, "Full": 3, "Right": 4, "Semi": 5, "Anti": 6}
STRATEGIES = {"Plain": 1, "Sorted": 2, "Hashed": 3, "Mixed": 4}
ROLES = {"Outer": 1, "Subquery": 1, "Inner": 2, "Member": 3, "InitPlan": 4, "SubPlan": 5}
AGGREGATE = re.compile(r"\b(count|sum|avg|max|min|string_agg|array_agg|rank|dense_rank|row_number|lag)\(")


def psql(database, script):
    return subprocess.run(["psql", "-XAtq", "-d", database], input=script, capture_output=True, text=True)


def hash_of(name):
    return int(hashlib.md5(name.encode()).hexdigest()[:15], 16) if name else 0


def clauses(condition):
    return 1 + len(re.findall(r"\) AND \(", condition)) if condition else 0


class Template:
    def __init__(self, path):
        lines = path.read_text().split("\n")
        self.name = path.stem
        self.database = lines[0].removeprefix("-- data: ").strip()
        self.values = {}
        at = 1
        while match := re.match(r"-- param (\w+): (.*)", lines[at]):
            answer = psql(self.database, match[2].rstrip(";") + ";")
            if answer.stderr:
                sys.exit(f"{path.name}: {answer.stderr}")
            self.values[match[1]] = [value for value in answer.stdout.split("\n") if value]
            at += 1
        self.sql = "\n".join(lines[at:])

    def text(self):
        chosen = {name: random.choice(values) for name, values in self.values.items()}

        def literal(match):
            value = chosen.get(match[1])
            return match[0] if value is None else "'" + value.replace("'", "''") + "'"

        return re.sub(r"(?<!:):(\w+)", literal, self.sql)


class Catalog:
    """Sizes of relations and indexes, and work_mem in kB, of one database."""

    def __init__(self, database):
        answer = psql(database, "SELECT relname, relpages, greatest(reltuples, 0) FROM pg_class "
                                "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')")
        self.sizes = {name: (float(pages), float(rows))
                      for name, pages, rows in (line.split("|") for line in answer.stdout.split())}
        settings = "SELECT setting FROM pg_settings WHERE name = '{}'"
        self.work_mem_kb = float(psql(database, settings.format("work_mem")).stdout)
        self.hash_mem_kb = self.work_mem_kb * float(psql(database, settings.format("hash_mem_multiplier")).stdout)


def rows_of(plan, catalog):
    """The plan's nodes in depth-first order, and the memory that sorts, hashes and aggregates took."""
    nodes = []
    memory_kb = 0

    def walk(node, parent, depth, gather):
        nonlocal memory_kb
        me = len(nodes)
        kind = node["Node Type"]
        strategy = node.get("Strategy") if kind == "Aggregate" else None
        pages, tuples = catalog.sizes.get(node.get("Relation Name"), (0, 0))
        index_pages = catalog.sizes.get(node.get("Index Name"), (0, 0))[0]
        output = node.get("Output", []) if kind in ("Aggregate", "WindowAgg") else []
        calls = sum(len(AGGREGATE.findall(column)) for column in output)
        distinct = kind == "Aggregate" and any(re.search(r"\(DISTINCT | ORDER BY ", column) for column in output)
        limit_kb = 0
        if kind in ("Sort", "Incremental Sort"):
            limit_kb = catalog.work_mem_kb
        elif kind == "Hash" or strategy in ("Hashed", "Mixed"):
            limit_kb = catalog.hash_mem_kb
        if kind == "Sort" and node.get("Sort Space Type") == "Memory":
            memory_kb += node["Sort Space Used"]
        memory_kb += node.get("Peak Memory Usage", 0)
        bounded = kind == "Sort" and parent >= 0 and nodes[parent][4] == OPERATORS["Limit"]
        nodes.append([
            me, parent, depth, ROLES.get(node.get("Parent Relationship"), 1) if parent >= 0 else 0,
            OPERATORS.get(kind, 0), JOINS.get(node.get("Join Type"), 0), STRATEGIES.get(strategy, 0),
            int(node.get("Parallel Aware", False)), int(gather), int(bounded), int(distinct),
            int(node.get("Scan Direction") == "Backward"), node.get("Workers Planned", 0),
            len(node.get("Sort Key", node.get("Group Key", []))),
            clauses(node.get("Filter")) + clauses(node.get("Join Filter")), calls, node["Plan Width"],
            node["Plan Rows"], node["Startup Cost"], node["Total Cost"],
            node["Plan Rows"] if kind in ("Aggregate", "Group") else 0, node["Plan Rows"] if kind == "Limit" else -1,
            pages, tuples, index_pages, -1, limit_kb, hash_of(node.get("Relation Name")),
            hash_of(node.get("Index Name"))])
        for child in node.get("Plans", []):
            walk(child, me, depth + 1, gather or kind in ("Gather", "Gather Merge"))

    walk(plan, -1, 0, False)
    return nodes, memory_kb


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    random.seed(1)
    templates = [Template(path) for path in sorted(WORKLOAD.glob("*.sql"))]
    catalogs = {name: Catalog(name) for name in {template.database for template in templates}}
    turns = templates * int(sys.argv[1])
    random.shuffle(turns)
    explain = "SET statement_timeout = '30s';\nEXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF, BUFFERS, VERBOSE) "
    with open(sys.argv[2], "w") as out:
        for template in turns:
            answer = psql(template.database, explain + template.text())
            if answer.stderr:
                print(f"{template.name}: {answer.stderr.strip()}", file=sys.stderr)
                continue
            report = json.loads(answer.stdout)[0]
            plan = report["Plan"]
            nodes, memory_kb = rows_of(plan, catalogs[template.database])
            blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            print("R", template.name, template.database, report["Execution Time"], memory_kb, plan["Actual Rows"],
                  plan["Temp Written Blocks"] * 8, blocks, time.time(), len(nodes), file=out)
            for node in nodes:
                print("N", *node, file=out)


if __name__ == "__main__":
    main()
