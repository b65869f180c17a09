"""Read the filters of a job query as people write them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.states import JobState, TaskState
from tilebox_celery.model.submission import HasSlug, cluster_slug

if TYPE_CHECKING:
    from tilebox_celery.ledger.queries_jobs import JobFilter

JobStates = JobState | str | Iterable[JobState | str] | None
TaskStates = TaskState | str | Iterable[TaskState | str] | None
Names = str | HasSlug | Iterable[str | HasSlug] | None

State = TypeVar("State", bound=StrEnum)


def job_filter(
    temporal_extent: Any, job_states: JobStates, name: str | None, task_states: TaskStates, clusters: Names
) -> "JobFilter":
    """Build a filter from the arguments of `JobClient.query`.

    Raises:
        ArgumentError: One of them cannot be used; the message names it.
    """
    from tilebox_celery.ledger.queries_jobs import JobFilter

    if name is not None and not isinstance(name, str):
        raise ArgumentError(f"name must be a text, not {name!r:.80}.")
    start, end = (None, None) if temporal_extent is None else _interval(temporal_extent)
    return JobFilter(
        submitted_from=start,
        submitted_before=end,
        states=None if job_states is None else _states(JobState, "job_states", job_states),
        words=() if name is None else name.split(),
        task_states=None if task_states is None else _states(TaskState, "task_states", task_states),
        clusters=None if clusters is None else _slugs(clusters),
    )


def _states(enum: type[State], argument: str, given: Any) -> list[State]:
    values = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    try:
        return [enum(str(value).upper()) for value in values]
    except ValueError:
        raise ArgumentError(f"{argument} must be of {', '.join(enum)}, not {given!r:.80}.") from None


def _slugs(given: Any) -> list[str]:
    return [cluster_slug(given)] if isinstance(given, str | HasSlug) else [cluster_slug(each) for each in given]


def _interval(extent: Any) -> tuple[datetime | None, datetime | None]:
    if isinstance(extent, str | datetime):  # one instant means its millisecond
        start = _moment(extent)
        return start, start + timedelta(milliseconds=1)
    if hasattr(extent, "start") and hasattr(extent, "end") and not isinstance(extent, slice):
        step = timedelta(microseconds=1)
        start, end = _moment(extent.start), _moment(extent.end)
        after_start = bool(getattr(extent, "start_exclusive", False))
        with_end = bool(getattr(extent, "end_inclusive", False))
        return start + step * after_start, end + step * with_end
    if isinstance(extent, Sequence) and len(extent) == 2:
        return tuple(None if each is None else _moment(each) for each in extent)  # type: ignore[return-value]  # two
    raise ArgumentError(f"temporal_extent must be a pair (start, end) of datetimes or ISO texts, not {extent!r:.80}.")


def _moment(given: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else given
        assert isinstance(moment, datetime)
    except (ValueError, AssertionError):
        raise ArgumentError(
            f"temporal_extent holds {given!r:.80}, which is no datetime and no ISO text such as 2024-08-01T00:00:00Z."
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
