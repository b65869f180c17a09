"""Select the tasks of a job, page by page, with their attempts, runners and dependencies."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, Integer, Row, Select, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from tilebox_celery.ledger.tables import attempts, clusters, group_edges, routes, runners, slots, task_groups, tasks
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.job import Attempt, TaskView
from tilebox_celery.model.states import FINAL_STATES, TaskState
from tilebox_celery.model.task_ids import public_task_id

if TYPE_CHECKING:
    from uuid import UUID

PAGE = 2000


class Route(NamedTuple):
    """Where tasks of one kind go."""

    cluster: str
    identifier: TaskIdentifier


class TaskReader:
    """Reads the tasks of one job page by page; what pages share is asked once.

    Args:
        job_key: Key of the job in the ledger.
    """

    def __init__(self, job_key: int) -> None:
        self.job_key = job_key
        self._last = 0
        self._routes: dict[int, Route] = {}
        self._runners: dict[int, str] = {}
        self._needs: dict[int, list[int]] | None = None
        self._members: dict[int, list[UUID]] = {}
        self._depends_on: dict[int, list[UUID]] = {}

    def read(self, connection: Connection, limit: int = PAGE) -> list[TaskView]:
        """Return the next tasks in the order of their ids, without children; empty at the end.

        Args:
            connection: One that shows all selects the same state of the ledger.
            limit: How many at most.
        """
        rows = connection.execute(tasks_statement(self.job_key, self._last, limit)).fetchall()
        if not rows:
            return []
        first, self._last = rows[0].id, rows[-1].id
        journal: dict[int, list[Row[Any]]] = defaultdict(list)
        for row in connection.execute(attempts_statement(self.job_key, first, self._last)):
            journal[row.task_id].append(row)
        learn_routes(connection, self._routes, {row.route_id for row in rows})
        self._learn_runners(connection, rows, journal)
        self._learn_dependencies(connection, {row.group_id for row in rows})
        return [self._as_view(row, journal.get(row.id, ())) for row in rows]

    def _learn_runners(
        self, connection: Connection, rows: Sequence[Row[Any]], journal: Mapping[int, Sequence[Row[Any]]]
    ) -> None:
        wanted = {row.runner_id for each in journal.values() for row in each}
        wanted |= {row.runner_id for row in rows if row.runner_id is not None}
        if wanted := wanted - self._runners.keys():
            for key, name in connection.execute(
                select(runners.c.id, runners.c.name).where(is_one_of(runners.c.id, wanted))
            ):
                self._runners[key] = name

    def _learn_dependencies(self, connection: Connection, groups: set[int]) -> None:
        if self._needs is None:
            self._needs = defaultdict(list)
            for needed, group in connection.execute(edges_statement(self.job_key)):
                self._needs[group].append(needed)
        new = [group for group in groups if group in self._needs and group not in self._depends_on]
        if not new:
            return
        wanted = {needed for group in new for needed in self._needs[group]} - self._members.keys()
        for group, task in connection.execute(members_statement(self.job_key, wanted)) if wanted else ():
            self._members.setdefault(group, []).append(public_task_id(self.job_key, task))
        for group in new:  # siblings share one list
            found = [task for needed in self._needs[group] for task in self._members.get(needed, ())]
            self._depends_on[group] = sorted(found)

    def _as_view(self, row: Row[Any], journal: Sequence[Row[Any]]) -> TaskView:
        route = self._routes[row.route_id]
        state = TaskState(row.state)
        done = [self._as_attempt(each) for each in journal]
        if state is TaskState.RUNNING:
            name = self._runners.get(row.runner_id, "")
            done.append(Attempt(number=row.attempt, runner=name, claimed_at=row.claimed_at.astimezone(UTC)))
        last = done[-1] if done else None
        shown = last if last is not None and state is not TaskState.QUEUED else None
        return TaskView(
            id=public_task_id(self.job_key, row.id),
            identifier=route.identifier,
            display=row.display or route.identifier.name,
            state=state,
            cluster=route.cluster,
            submitted_at=datetime.fromtimestamp((row.id >> 20) / 1000, UTC),
            parent_id=None if row.parent_id is None else public_task_id(self.job_key, row.parent_id),
            depends_on=self._depends_on.get(row.group_id, []),
            optional=row.optional,
            max_retries=row.max_retries,
            started_at=None if shown is None else shown.started_at or shown.claimed_at,
            finished_at=shown.finished_at if shown is not None and state in FINAL_STATES else None,
            runner=None if last is None else last.runner,
            error=None if last is None else last.error,
            attempts=done,
        )

    def _as_attempt(self, row: Row[Any]) -> Attempt:
        return Attempt(
            number=row.attempt,
            runner=self._runners.get(row.runner_id, ""),
            claimed_at=row.claimed_at.astimezone(UTC),
            started_at=None if row.started_at is None else row.started_at.astimezone(UTC),
            finished_at=row.finished_at.astimezone(UTC),
            outcome=row.outcome,
            error=row.error,
            cpu_seconds=None if row.cpu_us is None else row.cpu_us / 1e6,
            peak_rss_bytes=row.peak_rss,
        )


def tasks_statement(job_key: int, after: int, limit: int) -> Select[Any]:
    """Select tasks of a job in the order of their ids; the runner only of those that run."""
    wanted = ("id", "group_id", "parent_id", "route_id", "state", "attempt", "optional", "max_retries", "display")
    return (
        select(*(tasks.c[name] for name in wanted), tasks.c.claimed_at, slots.c.runner_id)
        .select_from(tasks.outerjoin(slots, slots.c.id == tasks.c.slot_id))
        .where(tasks.c.job_id == job_key, tasks.c.id > after)
        .order_by(tasks.c.id)
        .limit(limit)
    )


def attempts_statement(job_key: int, first: int, last: int) -> Select[Any]:
    """Select the journal of a range of tasks, in the order in which their attempts ended."""
    return (
        select(attempts)
        .where(attempts.c.job_id == job_key, attempts.c.task_id.between(first, last))
        .order_by(attempts.c.task_id, attempts.c.finished_at, attempts.c.attempt)
    )


def edges_statement(job_key: int) -> Select[Any]:
    """Select which groups of a job wait for which."""
    return select(group_edges.c.from_id, group_edges.c.to_id).where(group_edges.c.job_id == job_key)


def members_statement(job_key: int, groups: Iterable[int]) -> Select[Any]:
    """Select the tasks of some groups."""
    return (
        select(tasks.c.group_id, tasks.c.id)
        .select_from(
            task_groups.join(
                tasks,
                (tasks.c.job_id == task_groups.c.job_id)
                & tasks.c.id.between(task_groups.c.first_task, task_groups.c.last_task)
                & (tasks.c.group_id == task_groups.c.id),
            )
        )
        .where(task_groups.c.job_id == job_key, is_one_of(task_groups.c.id, groups))
    )


def learn_routes(connection: Connection, known: dict[int, Route], wanted: set[int]) -> None:
    """Add the routes that are not known yet."""
    if new := wanted - known.keys():
        statement = select(routes.c.id, clusters.c.slug, routes.c.name, routes.c.major, routes.c.minor).where(
            clusters.c.id == routes.c.cluster_id, routes.c.id == any_(literal(list(new), ARRAY(Integer)))
        )
        for key, slug, name, major, minor in connection.execute(statement):
            known[key] = Route(slug, TaskIdentifier(name, f"v{major}.{minor}"))


def is_one_of(column: ColumnElement[int], values: Iterable[int]) -> ColumnElement[bool]:
    """Compare a key with an array: one statement for any number of values."""
    return column == any_(literal(list(values), ARRAY(BigInteger)))
