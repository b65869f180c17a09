"""Select jobs: one by its id, or pages of those that match, with states and statistics from counted rows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Text,
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
from sqlalchemy.dialects.postgresql import ARRAY

from tilebox_celery.ledger.literals import clean_text
from tilebox_celery.ledger.tables import attempts, clusters, job_counts, jobs, routes, task_progress, tasks
from tilebox_celery.model.job import NO_TIME, ExecutionStats, Job, JobWaiter, ProgressIndicator
from tilebox_celery.model.states import JobState, TaskState, job_state

PAGE = 200
JOURNAL_LIMIT = 20_000
"""Jobs with more attempts are shown without what only the journal knows: it would take longer than all the rest."""

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
    row = connection.execute(job_statement().where(jobs.c.uuid == job_id)).fetchone()
    if row is None:
        return None
    stopped_at, peak_rss = None, None
    if row.attempts <= JOURNAL_LIMIT:
        stopped_at, peak_rss = connection.execute(stop_statement(row.id)).fetchone() or (None, None)
    return _as_job(row, _progress(connection, [row.id])[row.id], client, stopped_at, peak_rss)


def list_jobs(
    connection: Connection,
    which: JobFilter,
    *,
    limit: int = PAGE,
    after: UUID | None = None,
    client: JobWaiter | None = None,
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
    progress = _progress(connection, [row.id for row in rows])
    return [_as_job(row, progress[row.id], client) for row in rows]


def job_progress(connection: Connection, job_id: UUID) -> JobProgress | None:
    """Return state and counts of a job; None if there is no such job."""
    row = connection.execute(job_statement().where(jobs.c.uuid == job_id)).fetchone()
    if row is None:
        return None
    counts = _counts(row)
    return JobProgress(_state(row, counts), counts)


def job_key(connection: Connection, job_id: UUID) -> int | None:
    """Return the ledger's key of a job."""
    key: int | None = connection.execute(select(jobs.c.id).where(jobs.c.uuid == job_id)).scalar()
    return key


def job_statement() -> Select[Any]:
    """Select jobs with their summed counts."""
    counts = _sums()
    return _select_jobs(counts)


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
    return _select_jobs(counts).where(*conditions).order_by(jobs.c.submitted_at.desc(), jobs.c.id.desc()).limit(limit)


_JOB_COLUMNS = ("id", "uuid", "name", "trace_parent", "submitted_at", "started_at", "finished_at", "canceled_at")


def stop_statement(job_key: int) -> Select[Any]:
    """Select what only the journal knows of a job: when the last attempt stopped, and the largest memory."""
    return select(func.max(attempts.c.finished_at), func.max(attempts.c.peak_rss)).where(attempts.c.job_id == job_key)


def progress_statement(job_keys: Sequence[int]) -> Select[Any]:
    """Select the progress bars of jobs, summed over the tasks that moved them."""
    bar = task_progress.c
    return (
        select(bar.job_id, bar.label, func.sum(bar.total), func.sum(bar.done))
        .where(bar.job_id == any_(literal(list(job_keys), ARRAY(BigInteger))))
        .group_by(bar.job_id, bar.label)
        .order_by(bar.job_id, func.min(bar.task_id), bar.label)
    )


def _select_jobs(counts: FromClause) -> Select[Any]:
    columns = (jobs.c[name] for name in _JOB_COLUMNS)
    return select(*columns, *counts.c, func.tbx.now().label("now")).select_from(jobs.join(counts, true()))


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
    found += [jobs.c.name.icontains(clean_text(word), autoescape=True) for word in which.words]
    if which.states is not None:
        found.append(_in(state_column(counts), which.states))
        if JobState.COMPLETED not in which.states:
            found.append(jobs.c.finished_at.is_(None))
    if which.task_states is not None:
        found.append(or_(false(), *(counts.c[state.lower()] > 0 for state in which.task_states)))
    if which.clusters is not None:
        wanted = select(routes.c.id).join(clusters, clusters.c.id == routes.c.cluster_id)
        wanted = wanted.where(_in(clusters.c.slug, which.clusters))
        found.append(exists().where(and_(tasks.c.job_id == jobs.c.id, tasks.c.route_id.in_(wanted))))
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


def _in(column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    return column == any_(literal([clean_text(value) for value in values], ARRAY(Text)))


def _progress(connection: Connection, job_keys: Sequence[int]) -> dict[int, list[ProgressIndicator]]:
    found: dict[int, list[ProgressIndicator]] = defaultdict(list)
    for key, label, total, done in connection.execute(progress_statement(job_keys)):
        found[key].append(ProgressIndicator(label or None, int(total), int(done)))
    return found


def _counts(row: Row[Any]) -> dict[TaskState, int]:
    return {state: int(row._mapping[state.lower()]) for state in TaskState}


def _state(row: Row[Any], counts: Mapping[TaskState, int]) -> JobState:
    return job_state(
        settled=row.finished_at is not None,
        canceled=row.canceled_at is not None,
        counts=counts,
        started=row.started_at is not None,
    )


def _as_job(
    row: Row[Any],
    progress: list[ProgressIndicator],
    client: JobWaiter | None,
    stopped_at: datetime | None = None,
    peak_rss: int | None = None,
) -> Job:
    counts = _counts(row)
    state = _state(row, counts)
    over = state.is_terminal and not counts[TaskState.RUNNING]
    stopped_at = stopped_at or row.finished_at
    until = stopped_at or row.canceled_at if over else row.now
    elapsed = max(until - row.started_at, NO_TIME) if row.started_at is not None and until is not None else NO_TIME
    stats = ExecutionStats(
        tasks_by_state=counts,
        first_task_started_at=_utc(row.started_at),
        last_task_stopped_at=_utc(stopped_at),
        elapsed=elapsed,
        compute_time=timedelta(microseconds=int(row.run_us)),
        attempts=int(row.attempts),
        cpu_seconds=int(row.cpu_us) / 1e6,
        peak_rss_bytes=peak_rss,
    )
    return Job(
        id=row.uuid,
        name=row.name,
        trace_parent=row.trace_parent,
        state=state,
        submitted_at=row.submitted_at.astimezone(UTC),
        started_at=_utc(row.started_at),
        finished_at=_utc(row.finished_at),
        canceled=row.canceled_at is not None,
        progress=progress,
        execution_stats=stats,
        _client=client,
    )


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
