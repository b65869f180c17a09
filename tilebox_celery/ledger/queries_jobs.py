"""Select jobs: one by its id, or pages of those that match, with states and statistics from counted rows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    any_,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, array

from tilebox_celery.ledger.tables import TIME, attempts, clusters, job_counts, jobs, routes, task_progress, tasks
from tilebox_celery.model.job import ExecutionStats, Job, JobWaiter, ProgressIndicator
from tilebox_celery.model.states import JobState, TaskState, job_state

PAGE = 200

_SUMS = ("queued", "running", "computed", "failed", "failed_optional", "skipped", "attempts", "run_us", "cpu_us")


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; every part that is given must match."""

    submitted_from: datetime | None = None
    submitted_before: datetime | None = None
    states: Sequence[JobState] | None = None
    words: Sequence[str] = field(default=())
    """Parts of the name, in any order and case."""
    task_states: Sequence[TaskState] | None = None
    """Jobs with at least one task in one of these states."""
    clusters: Sequence[str] | None = None
    """Jobs with at least one task in one of these clusters."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """What a waiting client asks for again and again."""

    state: JobState
    counts: Mapping[TaskState, int]

    @property
    def is_over(self) -> bool:
        """Whether the job has ended and nothing of it runs any more."""
        return self.state.is_terminal and not self.counts[TaskState.RUNNING]


def find_job(connection: Connection, job_id: UUID, client: JobWaiter | None = None) -> Job | None:
    """Return a job as it is now; None if there is no such job."""
    rows = connection.execute(job_statement().where(jobs.c.uuid == job_id)).fetchall()
    return next(iter(_as_jobs(connection, rows, client)), None)


def list_jobs(
    connection: Connection, which: JobFilter, *, limit: int = PAGE, after: UUID | None = None, client: JobWaiter | None = None
) -> list[Job]:
    """Return one page of jobs, the newest first.

    Args:
        connection: From `Reading`.
        which: The filter.
        limit: How many at most.
        after: The last job of the page before.
        client: What the jobs wait with.
    """
    rows = connection.execute(list_statement(which, limit=limit, after=after)).fetchall()
    return _as_jobs(connection, rows, client)


def job_progress(connection: Connection, job_id: UUID) -> JobProgress | None:
    """Return state and counts of a job; None if there is no such job."""
    row = connection.execute(job_statement().where(jobs.c.uuid == job_id)).fetchone()
    return None if row is None else JobProgress(_state(row), _counts(row))


def job_key(connection: Connection, job_id: UUID) -> int | None:
    """Return the ledger's key of a job."""
    key: int | None = connection.execute(select(jobs.c.id).where(jobs.c.uuid == job_id)).scalar()
    return key


def job_statement() -> Select[Any]:
    """Select jobs with their summed counts."""
    counts = _sums()
    return select(jobs.c[*_JOB_COLUMNS], counts).select_from(jobs.join(counts, true()))


def list_statement(which: JobFilter, *, limit: int, after: UUID | None) -> Select[Any]:
    """Select one page of jobs."""
    counts = _sums()
    conditions = list(_conditions(which, counts))
    if after is not None:
        last = jobs.alias("last")
        place = select(last.c.submitted_at, last.c.id).where(last.c.uuid == after).subquery("place")
        conditions.append(
            tuple_(jobs.c.submitted_at, jobs.c.id) < tuple_(*(select(column).scalar_subquery() for column in place.c))
        )
    return (
        select(jobs.c[*_JOB_COLUMNS], counts)
        .select_from(jobs.join(counts, true()))
        .where(*conditions)
        .order_by(jobs.c.submitted_at.desc(), jobs.c.id.desc())
        .limit(limit)
    )


_JOB_COLUMNS = ("id", "uuid", "name", "trace_parent", "submitted_at", "started_at", "finished_at", "canceled_at")


def _sums() -> FromClause:
    return (
        select(*(func.coalesce(func.sum(job_counts.c[name]), 0).label(name) for name in _SUMS))
        .where(job_counts.c.job_id == jobs.c.id)
        .lateral("counts")
    )


def _conditions(which: JobFilter, counts: FromClause) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if which.submitted_from is not None:
        found.append(jobs.c.submitted_at >= which.submitted_from)
    if which.submitted_before is not None:
        found.append(jobs.c.submitted_at < which.submitted_before)
    for word in which.words:
        found.append(jobs.c.name.icontains(word, autoescape=True))
    if which.states is not None:
        found.append(_in(state_column(counts), [str(state) for state in which.states]))
        if JobState.COMPLETED not in which.states:
            found.append(jobs.c.finished_at.is_(None))
    if which.task_states is not None:
        found.append(or_(false(), *(counts.c[state.lower()] > 0 for state in which.task_states)))
    if which.clusters is not None:
        wanted = select(routes.c.id).join(clusters, clusters.c.id == routes.c.cluster_id)
        wanted = wanted.where(_in(clusters.c.slug, list(which.clusters)))
        found.append(
            exists().where(
                and_(tasks.c.job_id == jobs.c.id, tasks.c.route_id == any_(func.array(wanted.scalar_subquery())))
            )
        )
    return found


def state_column(counts: FromClause) -> ColumnElement[str]:
    """Derive the state of a job in SQL, by the rules of `model.states.job_state`."""
    return case(
        (jobs.c.finished_at.is_not(None), literal(str(JobState.COMPLETED))),
        (counts.c.failed > 0, literal(str(JobState.FAILED))),
        (jobs.c.canceled_at.is_not(None), literal(str(JobState.CANCELED))),
        (counts.c.running > 0, literal(str(JobState.RUNNING))),
        (jobs.c.started_at.is_not(None), literal(str(JobState.STARTED))),
        else_=literal(str(JobState.SUBMITTED)),
    )
