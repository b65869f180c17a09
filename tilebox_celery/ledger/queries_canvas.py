"""Select what a canvas needs to know of a job: its stored shape, its graph, and the results of its tasks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, Text, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from tilebox_celery.ledger.queries_tasks import Route, edges_statement, is_one_of, learn_routes
from tilebox_celery.ledger.tables import job_limits, jobs, runner_tasks, task_results, tasks
from tilebox_celery.model.identifiers import TaskIdentifier


@dataclass(frozen=True, slots=True)
class GraphTask:
    """One task of a job."""

    id: int
    group_id: int
    parent_id: int | None
    identifier: TaskIdentifier
    display: str | None
    """None where it is the name."""
    input: bytes
    max_retries: int
    optional: bool
    cluster: str
    limit: tuple[str, int] | None
    """Key, and how many tasks of the job may run at once under it."""


@dataclass(frozen=True, slots=True)
class JobGraph:
    """All tasks of a job, and which of their groups wait for which."""

    key: int
    shape: Mapping[str, Any] | None
    """The stored shape of a canvas; None: the job was submitted in another way."""
    tasks: list[GraphTask]
    """In the order of their ids, which for the tasks of a canvas is the written one."""
    edges: list[tuple[int, int]]


def read_graph(connection: Connection, job_id: UUID) -> JobGraph | None:
    """Return the graph of a job; None if there is no such job.

    Args:
        connection: One that shows all selects the same state of the ledger.
        job_id: The job.
    """
    row = connection.execute(shape_statement(job_id)).fetchone()
    if row is None:
        return None
    rows = connection.execute(graph_statement(row.id)).fetchall()
    known: dict[int, Route] = {}
    learn_routes(connection, known, {each.route_id for each in rows})
    limits = (
        {key: (name, most) for key, name, most in connection.execute(limits_statement(row.id))}
        if any(each.limit_id is not None for each in rows)
        else {}
    )
    return JobGraph(
        row.id,
        row.canvas,
        [
            GraphTask(
                each.id,
                each.group_id,
                each.parent_id,
                known[each.route_id].identifier,
                each.display,
                each.input,
                each.max_retries,
                each.optional,
                known[each.route_id].cluster,
                None if each.limit_id is None else limits[each.limit_id],
            )
            for each in rows
        ],
        [(source, target) for source, target in connection.execute(edges_statement(row.id))],
    )


def read_shape(connection: Connection, job_id: UUID) -> Mapping[str, Any] | None:
    """Return the stored shape of a canvas; None if the job is none, or does not exist."""
    row = connection.execute(shape_statement(job_id)).fetchone()
    return None if row is None else row.canvas


def read_results(connection: Connection, job_id: UUID, positions: Iterable[int]) -> dict[int, bytes | None]:
    """Return the results of root tasks, by their positions in the order of ids; None where nothing is stored.

    Args:
        connection: One that shows all selects the same state of the ledger.
        job_id: The job.
        positions: Of the tasks.
    """
    key = connection.execute(select(jobs.c.id).where(jobs.c.uuid == job_id)).scalar()
    ids = connection.execute(roots_statement(key)).scalars().all() if key is not None else []
    wanted = {ids[position]: position for position in positions}
    found: dict[int, bytes | None] = dict.fromkeys(wanted.values())
    for task_id, result in connection.execute(results_statement(key, wanted)) if key is not None else ():
        found[wanted[task_id]] = result
    return found


def registered_names(connection: Connection, names: Iterable[str]) -> set[str]:
    """Return those names that any runner has ever registered."""
    wanted = literal(list(names), ARRAY(Text))
    return set(connection.execute(select(runner_tasks.c.name).where(runner_tasks.c.name == any_(wanted))).scalars())


def shape_statement(job_id: UUID) -> Select[Any]:
    """Select key and shape of a job."""
    return select(jobs.c.id, jobs.c.canvas).where(jobs.c.uuid == job_id)


def graph_statement(job_key: int) -> Select[Any]:
    """Select the tasks of a job in the order of their ids."""
    wanted = ("id", "group_id", "parent_id", "route_id", "limit_id", "display", "input", "max_retries", "optional")
    return select(*(tasks.c[name] for name in wanted)).where(tasks.c.job_id == job_key).order_by(tasks.c.id)


def limits_statement(job_key: int) -> Select[Any]:
    """Select the limits of a job."""
    return select(job_limits.c.id, job_limits.c.key, job_limits.c.max_running).where(job_limits.c.job_id == job_key)


def roots_statement(job_key: int) -> Select[Any]:
    """Select the ids of the root tasks of a job in their order."""
    return select(tasks.c.id).where(tasks.c.job_id == job_key, tasks.c.parent_id.is_(None)).order_by(tasks.c.id)


def results_statement(job_key: int, task_keys: Iterable[int]) -> Select[Any]:
    """Select the results of some tasks."""
    return select(task_results.c.task_id, task_results.c.result).where(
        task_results.c.job_id == job_key, is_one_of(task_results.c.task_id, task_keys)
    )
