"""Select runners with what they registered and what their slots do."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from tilebox_celery.ledger.queries_tasks import is_one_of
from tilebox_celery.ledger.tables import GONE, clusters, leases, runner_tasks, runners, slots
from tilebox_celery.model.identifiers import TaskIdentifier


@dataclass(frozen=True, slots=True)
class SlotView:
    """One slot of a runner."""

    number: int
    pid: int
    state: str
    """``idle``, ``woken`` or ``busy``."""
    lease_until: datetime
    is_alive: bool
    """Its lease has not ended."""


@dataclass(frozen=True, slots=True)
class RunnerView:
    """One runner that has not left."""

    name: str
    cluster: str
    host: str
    pid: int
    state: str
    """``live`` or ``draining``."""
    wake_by: str
    code_version: str
    started_at: datetime
    seen_at: datetime
    tasks: list[TaskIdentifier] = field(default_factory=list)
    slots: list[SlotView] = field(default_factory=list)

    @property
    def is_alive(self) -> bool:
        """Whether one of its slots may still run tasks."""
        return any(slot.is_alive for slot in self.slots)


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the live runners of one cluster can execute."""

    runners: int = 0
    slots: int = 0
    tasks: list[TaskIdentifier] = field(default_factory=list)
    """Sorted; several versions if the runners differ."""


def list_runners(connection: Connection, cluster: str | None = None) -> list[RunnerView]:
    """Return the runners that have not left, the oldest first.

    Args:
        connection: From `Reading`.
        cluster: Only those of one cluster.
    """
    rows = sorted(connection.execute(runners_statement(cluster)), key=lambda row: int(row.id))
    keys = [row.id for row in rows]
    registered: dict[int, list[TaskIdentifier]] = defaultdict(list)
    task = runner_tasks.c
    for key, name, major, minor in connection.execute(
        select(task.runner_id, task.name, task.major, task.minor)
        .where(is_one_of(task.runner_id, keys))
        .order_by(task.runner_id, task.name, task.major)
    ):
        registered[key].append(TaskIdentifier(name, f"v{major}.{minor}"))
    held: dict[int, list[SlotView]] = defaultdict(list)
    for row in connection.execute(slots_statement(keys)):
        view = SlotView(row.no, row.pid, row.state, row.lease_until.astimezone(UTC), row.is_alive)
        held[row.runner_id].append(view)
    return [
        RunnerView(
            name=row.name,
            cluster=row.slug,
            host=row.host,
            pid=row.pid,
            state=row.state,
            wake_by=row.wake_by,
            code_version=row.code_version,
            started_at=row.started_at.astimezone(UTC),
            seen_at=row.seen_at.astimezone(UTC),
            tasks=registered[row.id],
            slots=held[row.id],
        )
        for row in rows
    ]


def list_deployments(connection: Connection) -> dict[str, Deployment]:
    """Return by cluster slug what its live runners can execute; clusters without a live runner are left out."""
    found: dict[str, list[RunnerView]] = defaultdict(list)
    for runner in list_runners(connection):
        if runner.is_alive and runner.state == "live":
            found[runner.cluster].append(runner)
    return {
        slug: Deployment(
            runners=len(there),
            slots=sum(slot.is_alive for runner in there for slot in runner.slots),
            tasks=sorted(
                {task for runner in there for task in runner.tasks},
                key=lambda each: (each.name, each.major, each.minor),
            ),
        )
        for slug, there in found.items()
    }


def runners_statement(cluster: str | None) -> Select[Any]:
    """Select runners that have not left, in no order: one would lead the planner past all that ever were."""
    wanted = ("id", "name", "host", "pid", "state", "wake_by", "code_version", "started_at", "seen_at")
    statement = select(*(runners.c[name] for name in wanted), clusters.c.slug).where(
        clusters.c.id == runners.c.cluster_id, runners.c.state != GONE
    )
    return statement if cluster is None else statement.where(clusters.c.slug == cluster)


def slots_statement(runner_keys: Sequence[int]) -> Select[Any]:
    """Select the slots of runners that are not gone."""
    slot = slots.c
    return (
        select(
            slot.runner_id, slot.no, slot.pid, slot.state, leases.c.until.label("lease_until"),
            (leases.c.until > func.tbx.now()).label("is_alive"),
        )
        .join_from(slots, leases, leases.c.slot_id == slot.id)
        .where(is_one_of(slot.runner_id, runner_keys), slot.state != GONE)
        .order_by(slot.runner_id, slot.no)
    )  # fmt: skip
