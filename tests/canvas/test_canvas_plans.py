"""What a canvas asks of the ledger looks at nothing but its own job, however long the history is."""

from uuid import UUID

import pytest
from sqlalchemy import Select
from sqlalchemy.dialects import postgresql

from tilebox_celery.ledger.queries_canvas import (
    graph_statement,
    limits_statement,
    results_statement,
    roots_statement,
    shape_statement,
)
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.runner.canvas_execution import RESULTS
from tilebox_celery.runner.canvas_roots import ROOTS

HISTORY = """
    insert into tbx.tasks (job_id, id, group_id, route_id, depth, state, phase, input)
        select j, n, j, 1, 0, 'COMPUTED', '-', '' from generate_series(1, 50) j, generate_series(1, 200) n;
    insert into tbx.task_results (job_id, task_id, result)
        select j, n, '1' from generate_series(1, 50) j, generate_series(1, 200) n;
    insert into tbx.jobs (uuid, name, trace_parent, submitted_at)
        select md5(n::text)::uuid, 'job', '', now() from generate_series(1, 1000) n;
"""


@pytest.fixture
def history(connection: Connection) -> Connection:
    """A connection to a ledger with many jobs, whose statistics are young."""
    connection.execute(HISTORY, prepare=False)
    connection.execute("analyze tbx.tasks, tbx.task_results, tbx.jobs")
    return connection


def _plan(connection: Connection, query: str, *parameters: object) -> str:
    rows = connection.execute(f"explain (analyze, buffers off) {query}".encode(), parameters).fetchall()
    return "\n".join(row[0] for row in rows)


def _text(statement: Select[tuple[object, ...]]) -> str:
    return str(statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))


def test_a_runner_reads_the_tasks_and_results_of_one_job(history: Connection) -> None:
    """The positions once per job, then only the results that are taken."""
    roots = _plan(history, ROOTS.decode(), 25)
    results = _plan(history, RESULTS.decode(), 25, [3, 4, 5])

    assert "tasks_pkey" in roots
    assert "Index Cond: (job_id = " in roots
    assert "task_results_pkey" in results
    assert "rows=3 " in results.splitlines()[0].replace("rows=3.00", "rows=3")


def test_a_client_reads_one_job(history: Connection) -> None:
    """Its shape, its graph, the results that make up its own."""
    plans = [
        _plan(history, _text(statement))
        for statement in (
            shape_statement(UUID(int=1)),
            graph_statement(25),
            limits_statement(25),
            roots_statement(25),
            results_statement(25, [1]),
        )
    ]

    indexes = ("jobs_uuid_key", "tasks_pkey", "job_limits_job_id", "tasks_pkey", "task_results_pkey")
    for plan, index in zip(plans, indexes, strict=True):
        assert index in plan
        assert "Seq Scan" not in plan
