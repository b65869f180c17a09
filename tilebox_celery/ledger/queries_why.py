"""Say for each queued task of a job why it does not run."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from sqlalchemy import Connection, Integer, Row, Select, and_, any_, case, exists, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from tilebox_celery.ledger.queries_tasks import PAGE, Route, edges_statement, is_one_of, learn_routes
from tilebox_celery.ledger.tables import (
    GONE,
    job_limits,
    jobs,
    leases,
    routes,
    runner_tasks,
    runners,
    slots,
    task_groups,
    tasks,
)
from tilebox_celery.model.job import Why
from tilebox_celery.model.task_ids import public_task_id

_NAMED_GROUPS = 5


class WhyReader:
    """Reads the reasons of one job page by page; what pages share is asked once.

    Args:
        job_key: Key of the job in the ledger.
    """

    def __init__(self, job_key: int) -> None:
        self.job_key = job_key
        self._last = 0
        self._routes: dict[int, Route] = {}
        self._no_runner: dict[int, str | None] = {}
        self._limits: dict[int, str] = {}
        self._needs: dict[int, list[int]] | None = None
        self._awaited: dict[int, str | None] = {}
        self._waits: dict[int, str] = {}

    def read(self, connection: Connection, limit: int = PAGE) -> list[Why]:
        """Return the next reasons in the order of the tasks' ids; empty at the end."""
        rows = connection.execute(queued_statement(self.job_key, self._last, limit)).fetchall()
        if not rows:
            return []
        self._last = rows[-1].id
        stopped = _why_stopped(connection, self.job_key)
        learn_routes(connection, self._routes, {row.route_id for row in rows})
        if stopped is None:
            self._learn_groups(connection, {row.group_id for row in rows if row.phase == "b"})
            self._learn_limits(connection, {row.limit_id for row in rows if row.phase == "h"})
            self._learn_runners(connection, {row.route_id for row in rows if row.phase not in "bhd"})
        return [
            Why(
                public_task_id(self.job_key, row.id),
                row.display or self._routes[row.route_id].identifier.name,
                stopped or self._reason(row),
            )
            for row in rows
        ]

    def _reason(self, row: Row[Any]) -> str:
        match row.phase:
            case "b":
                return self._waits[row.group_id]
            case "h":
                return self._limits[row.limit_id]
            case "d":
                return f"backs off until {row.run_after.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return self._no_runner[row.route_id] or "is ready and waits for a free slot"

    def _learn_groups(self, connection: Connection, groups: set[int]) -> None:
        new = groups - self._waits.keys()
        if not new:
            return
        if self._needs is None:
            self._needs = defaultdict(list)
            for needed, group in connection.execute(edges_statement(self.job_key)):
                self._needs[group].append(needed)
        wanted = {needed for group in new for needed in self._needs[group]} - self._awaited.keys()
        self._awaited |= dict.fromkeys(wanted)
        for row in connection.execute(open_groups_statement(self.job_key, wanted)) if wanted else ():
            name = row.display or row.name
            self._awaited[row.id] = name if row.open == 1 else f"{row.open:,} tasks like {name}"
        for group in new:
            parts = [found for needed in self._needs[group] if (found := self._awaited[needed]) is not None]
            more = len(parts) - _NAMED_GROUPS
            text = ", ".join(parts[:_NAMED_GROUPS]) + (f" and {more:,} more" if more > 0 else "")
            self._waits[group] = f"waits for {text or 'its dependencies'}"

    def _learn_limits(self, connection: Connection, limits: set[int]) -> None:
        if new := limits - self._limits.keys():
            limit = job_limits.c
            statement = select(limit.id, limit.key, limit.active, limit.max_running)
            statement = statement.where(limit.job_id == self.job_key, is_one_of(limit.id, new))
            for key, name, active, allowed in connection.execute(statement):
                self._limits[key] = f"limit {name!r} is full ({active} of {allowed})"

    def _learn_runners(self, connection: Connection, wanted: set[int]) -> None:
        new = sorted(wanted - self._no_runner.keys())
        for key, can_run, other in connection.execute(able_statement(new)) if new else ():
            route = self._routes[key]
            hint = "" if other is None else f" (the newest one there is v{route.identifier.major}.{other})"
            name, version = route.identifier.name, route.identifier.version
            missing = f"no live runner of cluster {route.cluster!r} has {name!r} {version}{hint}"
            self._no_runner[key] = None if can_run else missing


def queued_statement(job_key: int, after: int, limit: int) -> Select[Any]:
    """Select queued tasks of a job in the order of their ids."""
    wanted = ("id", "group_id", "route_id", "limit_id", "phase", "run_after", "display")
    return (
        select(*(tasks.c[name] for name in wanted))
        .where(tasks.c.job_id == job_key, tasks.c.id > after, tasks.c.state == "QUEUED")
        .order_by(tasks.c.id)
        .limit(limit)
    )


def open_groups_statement(job_key: int, groups: set[int]) -> Select[Any]:
    """Select groups that are not settled, each with the name of its first task."""
    return (
        select(
            task_groups.c.id,
            task_groups.c.open,
            case((task_groups.c.first_task == task_groups.c.last_task, tasks.c.display)).label("display"),
            routes.c.name,
        )
        .select_from(
            task_groups.join(
                tasks, (tasks.c.job_id == task_groups.c.job_id) & (tasks.c.id == task_groups.c.first_task)
            ).join(routes, routes.c.id == tasks.c.route_id)
        )
        .where(task_groups.c.job_id == job_key, is_one_of(task_groups.c.id, groups), task_groups.c.open > 0)
    )


def able_statement(wanted: Sequence[int]) -> Select[Any]:
    """Select for each route whether a live runner takes it, and the newest minor version that its cluster has."""
    has_slot = exists().where(
        and_(
            slots.c.runner_id == runners.c.id,
            slots.c.state != GONE,
            leases.c.slot_id == slots.c.id,
            leases.c.until > func.tbx.now(),
        )
    )
    is_live = and_(
        runners.c.cluster_id == routes.c.cluster_id, runners.c.state != GONE, runners.c.state == "live", has_slot
    )
    newest = (
        select(func.max(runner_tasks.c.minor))
        .select_from(runners.join(runner_tasks, runner_tasks.c.runner_id == runners.c.id))
        .where(is_live, runner_tasks.c.name == routes.c.name, runner_tasks.c.major == routes.c.major)
        .scalar_subquery()
    )
    can_run = exists().where(and_(is_live, routes.c.id == any_(runners.c.routes)))
    return select(routes.c.id, can_run.label("can_run"), newest.label("newest")).where(
        routes.c.id == any_(literal(list(wanted), ARRAY(Integer)))
    )


def _why_stopped(connection: Connection, job_key: int) -> str | None:
    statement = select(jobs.c.canceled_at, jobs.c.cancel_reason).where(jobs.c.id == job_key)
    row = connection.execute(statement).fetchone()
    if row is None or row.canceled_at is None:
        return None
    return "job canceled" if row.cancel_reason == "user" else "job canceled, since another task of it failed"
