"""No read looks at more than the job, the page or the cluster that it is about, however long the history is."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Select, event

from tilebox_celery.ledger.open import Ledger
from tilebox_celery.ledger.queries_clusters import clusters_statement
from tilebox_celery.ledger.queries_jobs import (
    JobFilter,
    job_statement,
    list_statement,
    progress_statement,
    stop_statement,
)
from tilebox_celery.ledger.queries_runners import runners_statement, slots_statement
from tilebox_celery.ledger.queries_tasks import (
    attempts_statement,
    edges_statement,
    members_statement,
    tasks_statement,
)
from tilebox_celery.ledger.queries_why import able_statement, open_groups_statement, queued_statement
from tilebox_celery.ledger.tables import jobs
from tilebox_celery.model.states import JobState
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.settings import Settings

JOBS, TASKS = 60, 100
"""A job has this many tasks, in ten groups, each waiting for the one before."""
MINE = 30
"""The job that is asked for; every fifth job before it is unfinished."""

HISTORY = f"""
    insert into tbx.clusters (slug, display_name) select 'cluster-' || n, 'cluster' from generate_series(1, 20) n;
    insert into tbx.routes (cluster_id, name, major, minor)
        select c, 'Task' || n, 1, 0 from generate_series(1, 20) c, generate_series(1, 5) n;
    insert into tbx.runners (id, cluster_id, name, host, pid, code_version, wake_by, routes, slot_count, state)
        overriding system value select n + 1, 1 + n % 20, 'runner', 'host', 1, '0', 'notify', array[1 + n % 100], 2,
            case when n % 50 = 0 then 'live' else 'gone' end
        from generate_series(0, 1999) n;
    insert into tbx.slots (runner_id, cluster_id, no, pid, state)
        select r.id, r.cluster_id, n, 1, case when r.state = 'live' then 'idle' else 'gone' end
        from tbx.runners r, generate_series(0, 1) n;
    insert into tbx.leases (slot_id, until) select s.id, now() + interval '1 hour' from tbx.slots s;
    insert into tbx.runner_tasks (runner_id, name, major, minor)
        select r.id, 'Task' || n, 1, 0 from tbx.runners r, generate_series(1, 5) n;
    insert into tbx.jobs (uuid, name, trace_parent, submitted_at, started_at, finished_at)
        select md5(n::text)::uuid, 'job ' || n, '', '2024-01-01'::timestamptz + n * interval '1 minute', now(),
            case when n % 5 <> 0 then now() end
        from generate_series(1, {JOBS}) n;
    insert into tbx.job_counts (job_id, shard, computed)
        select j, s, 50 from generate_series(1, {JOBS}) j, generate_series(0, 7) s;
    insert into tbx.task_groups
        (job_id, id, depth, family_size, open, blocked_by, has_dependents, first_task, last_task)
        select j, j * 10 + g, 0, 10, 1, 0, true, g * 10 + 1, g * 10 + 10
        from generate_series(1, {JOBS}) j, generate_series(0, 9) g;
    insert into tbx.group_edges (job_id, from_id, to_id)
        select j, j * 10 + g, j * 10 + g + 1 from generate_series(1, {JOBS}) j, generate_series(0, 8) g;
    insert into tbx.tasks (job_id, id, group_id, route_id, depth, state, phase, input)
        select j, n, j * 10 + (n - 1) / 10, 1 + n % 5, 0,
            case when n <= 50 then 'COMPUTED' else 'QUEUED' end::tbx.task_state,
            case when n <= 50 then '-' when n <= 60 and j = {MINE} then 'r' else 'b' end::"char", ''
        from generate_series(1, {JOBS}) j, generate_series(1, {TASKS}) n;
    insert into tbx.attempts (job_id, task_id, attempt, claim_id, runner_id, slot_id, claimed_at, finished_at, outcome)
        select j, n, 1, gen_random_uuid(), 1, 1, now(), now(), 'computed'
        from generate_series(1, {JOBS}) j, generate_series(1, 50) n;
    insert into tbx.task_progress (job_id, task_id, label, total, done)
        select j, n, 'tiles', 1, 1 from generate_series(1, {JOBS}) j, generate_series(1, 50) n;
"""


@pytest.fixture
def explain(ledger_url: str, connection: Connection) -> Iterator[Callable[[Select[Any]], list[dict[str, Any]]]]:
    """Run a statement as the product does, over a long history, and return the nodes of its plan."""
    connection.execute(HISTORY, prepare=False)
    for table in ("jobs", "job_counts", "tasks", "attempts", "task_groups", "group_edges", "task_progress"):
        connection.execute(f"analyze tbx.{table}")
    ledger = Ledger(ledger_url, Settings())
    reading = ledger.reading

    @event.listens_for(reading._engine, "before_cursor_execute", retval=True)
    def add_explain(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        return "explain (analyze, format json) " + statement if "tbx." in statement else statement, parameters

    def run(statement: Select[Any]) -> list[dict[str, Any]]:
        with reading.connection() as lent:
            return list(_nodes(lent.execute(statement).scalar_one()[0]["Plan"]))

    yield run
    ledger.close()


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def rows_read(nodes: list[dict[str, Any]]) -> Counter[str]:
    """Count the rows that were looked at, by table, whether they were wanted or not."""
    counts: Counter[str] = Counter()
    for node in nodes:
        if "Relation Name" in node:
            seen = (
                node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
            )
            counts[node["Relation Name"]] += round(seen * node["Actual Loops"])
    return counts


UUID_OF_MINE = UUID("34173cb3-8f07-f89d-dbeb-c2ac9128303f")  # md5('30')
FROM, UNTIL = datetime(2024, 1, 1, 0, 20, tzinfo=UTC), datetime(2024, 1, 1, 0, 26, tzinfo=UTC)

READS: dict[str, tuple[Select[Any], dict[str, int]]] = {
    "find a job": (job_statement().where(jobs.c.uuid == UUID_OF_MINE), {"jobs": 1, "job_counts": 8}),
    "first page": (list_statement(JobFilter(), limit=5, after=None), {"jobs": 5, "job_counts": 40}),
    "next page": (list_statement(JobFilter(), limit=5, after=UUID_OF_MINE), {"jobs": 7, "job_counts": 40}),
    "jobs of an hour": (list_statement(JobFilter(FROM, UNTIL), limit=50, after=None), {"jobs": 6, "job_counts": 48}),
    "jobs of a cluster": (
        list_statement(JobFilter(FROM, UNTIL, clusters=["cluster-1"]), limit=50, after=None),
        {"jobs": 6, "job_counts": 48, "tasks": 6 * TASKS, "routes": 60, "clusters": 20},
    ),
    "progress": (progress_statement([MINE]), {"task_progress": 50}),
    "last stop": (stop_statement(MINE), {"attempts": 50}),
    "page of tasks": (tasks_statement(MINE, 20, 30), {"tasks": 30, "slots": 30}),
    "attempts of a page": (attempts_statement(MINE, 21, 40), {"attempts": 20}),
    "edges": (edges_statement(MINE), {"group_edges": 9}),
    "members of groups": (members_statement(MINE, [MINE * 10, MINE * 10 + 1]), {"task_groups": 2, "tasks": 20}),
    "queued tasks": (queued_statement(MINE, 0, 100), {"tasks": 100}),
    "open groups": (open_groups_statement(MINE, {MINE * 10}), {"task_groups": 1, "tasks": 1, "routes": 1}),
    "who can run it": (
        able_statement([1]),
        {"routes": 1, "runners": 40, "slots": 42, "leases": 42, "runner_tasks": 20},
    ),
    "clusters": (clusters_statement(), {"clusters": 20, "routes": 100, "runners": 40, "slots": 80, "tasks": 20}),
    "runners": (runners_statement(None), {"runners": 40, "clusters": 40}),
    "slots of runners": (slots_statement([1, 51]), {"slots": 4, "leases": 4}),
}


@pytest.mark.parametrize("name", READS)
def test_read_looks_at_no_more_than_it_needs(name: str, explain: Callable[[Select[Any]], list[dict[str, Any]]]) -> None:
    """Every read goes by an index and looks at no more rows of each table than stated beside it."""
    statement, allowed = READS[name]

    nodes = explain(statement)

    read = rows_read(nodes)
    scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    assert scanned & {"jobs", "tasks", "attempts", "job_counts", "task_groups", "group_edges", "task_progress"} == set()
    assert {table: count for table, count in read.items() if count > allowed.get(table, 0)} == {}
    assert sum(read.values()) > 0


@pytest.mark.parametrize("state", list(JobState))
def test_jobs_of_a_state_are_read_along_the_index(
    state: JobState, explain: Callable[[Select[Any]], list[dict[str, Any]]]
) -> None:
    """A list by state follows the order of submission and stops at its limit: it sorts nothing and scans no table."""
    nodes = explain(list_statement(JobFilter(states=[state]), limit=5, after=None))

    kinds = {node["Node Type"] for node in nodes}
    assert kinds & {"Seq Scan", "Sort", "Incremental Sort"} == set()


def test_guard_sees_a_scan(explain: Callable[[Select[Any]], list[dict[str, Any]]], connection: Connection) -> None:
    """The guard itself notices when an index is missing."""
    connection.execute("drop index tbx.attempts_task")

    nodes = explain(stop_statement(MINE))

    assert [node["Node Type"] for node in nodes if node.get("Relation Name") == "attempts"] == ["Seq Scan"]
    assert rows_read(nodes)["attempts"] == JOBS * 50
