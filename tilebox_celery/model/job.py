"""What a client gets back about a job: its state, statistics, tasks and clusters."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import InitVar, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, Protocol
from uuid import UUID

from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.cluster import Cluster, new_cluster_slug
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.states import JobState, TaskState

__all__ = [
    "Attempt",
    "Cluster",
    "ExecutionStats",
    "Job",
    "ProgressIndicator",
    "TaskView",
    "Why",
    "new_cluster_slug",
]

NO_TIME = timedelta(0)


class JobWaiter(Protocol):
    """The client that a job came from."""

    def wait(self, job: "Job", timeout: float | timedelta | None = None) -> "Job": ...


@dataclass(frozen=True, slots=True)
class ProgressIndicator:
    """One progress bar of a job, summed over the tasks that moved it."""

    label: str | None
    total: int
    done: int


@dataclass(frozen=True, slots=True)
class ExecutionStats:
    """What a job has cost so far."""

    tasks_by_state: Mapping[TaskState, int] = field(default_factory=dict)
    first_task_started_at: datetime | None = None
    last_task_stopped_at: datetime | None = None
    elapsed: timedelta = NO_TIME
    """From the first start to the last stop, or to now while tasks are left."""
    compute_time: timedelta = NO_TIME
    """Sum of the run times of all attempts."""
    attempts: int = 0
    cpu_seconds: float = 0.0
    peak_rss_bytes: int | None = None
    """The most that one attempt took; None in lists and beyond 20,000 attempts, where the journal is not read."""

    @property
    def total_tasks(self) -> int:
        """Number of tasks of all states."""
        return sum(self.tasks_by_state.values())

    @property
    def parallelism(self) -> float:
        """How many tasks ran at once on average."""
        return self.compute_time / self.elapsed if self.elapsed else 0.0


class _OfClient:
    """Where a value keeps its client, which is no field of it: connections are neither copied nor pickled."""

    __slots__ = ("_waiter",)
    _waiter: JobWaiter | None


@dataclass(frozen=True, slots=True)
class Job(_OfClient):
    """A job as it was when it was asked for; `client.jobs().find(job)` asks again."""

    id: UUID
    name: str
    trace_parent: str
    state: JobState
    submitted_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    canceled: bool = False
    """Also true if a failed task stopped the job."""
    progress: list[ProgressIndicator] = field(default_factory=list)
    execution_stats: ExecutionStats = field(default_factory=ExecutionStats)
    _client: InitVar[JobWaiter | None] = None

    def __post_init__(self, _client: JobWaiter | None) -> None:
        object.__setattr__(self, "_waiter", _client)

    def __copy__(self) -> "Job":
        return replace(self, _client=self._waiter)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Job":
        values = {each.name: deepcopy(getattr(self, each.name), memo) for each in fields(self)}
        return Job(**values, _client=self._waiter)

    def __reduce__(self) -> tuple[type["Job"], tuple[Any, ...]]:
        return Job, tuple(getattr(self, each.name) for each in fields(self))

    @property
    def completed(self) -> bool:
        """Whether every task of the job is settled."""
        return self.state is JobState.COMPLETED

    def wait(self, timeout: float | timedelta | None = None) -> "Job":
        """Wait until the job is completed, failed or canceled and nothing of it runs any more.

        Args:
            timeout: Seconds, or a time span; None waits for ever.

        Returns:
            The job in its new state.

        Raises:
            TimeoutError: It was not done in time; it goes on.
        """
        if self._waiter is None:
            raise ArgumentError(f"Job {self.id} does not know its client; call client.jobs().wait(job) instead.")
        return self._waiter.wait(self, timeout)

    def _repr_html_(self) -> str:
        """Draw a static card for notebooks; names are escaped, and there is no script in it."""
        counts = ", ".join(
            f"{count:,} {state.replace('_', ' ').lower()}"
            for state, count in self.execution_stats.tasks_by_state.items()
            if count
        )
        rows = [
            ("Id", str(self.id)),
            ("State", self.state),
            ("Submitted", f"{self.submitted_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"),
            ("Tasks", counts or "none yet"),
            *((bar.label or "Progress", f"{bar.done:,} of {bar.total:,}") for bar in self.progress),
        ]
        body = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(text)}</td></tr>"
            for name, text in rows
        )
        return f"<div><strong>{escape(self.name)}</strong><table>{body}</table></div>"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time that a runner claimed a task."""

    number: int
    """1 for the first."""
    runner: str
    claimed_at: datetime
    """When the runner took the task, alone or in a batch."""
    started_at: datetime | None = None
    """When user code began, as the runner says with its report; None while it runs, if it was lost or given back."""
    finished_at: datetime | None = None
    outcome: str | None = None
    """``computed``, ``failed``, ``lost`` (its process or its runner is gone: the task runs again, and such an attempt
    counts as a crash) or ``given_back`` (its runner returned it to the queue, which costs no retry); None while it
    runs."""
    error: str | None = None
    cpu_seconds: float | None = None
    peak_rss_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class TaskView:
    """One task of a job with its attempts and its subtasks; as text, a line for each of them below it."""

    id: UUID
    identifier: TaskIdentifier
    display: str
    state: TaskState
    cluster: str
    submitted_at: datetime
    parent_id: UUID | None = None
    depends_on: list[UUID] = field(default_factory=list)
    optional: bool = False
    max_retries: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    runner: str | None = None
    """Who ran the last attempt, or runs it."""
    error: str | None = None
    """Why the last attempt failed."""
    attempts: list[Attempt] = field(default_factory=list)
    children: list["TaskView"] = field(default_factory=list, repr=False)  # a graph may be thousands of tasks deep

    def __str__(self) -> str:
        lines: list[str] = []
        left = [(self, "")]
        while left:
            task, indent = left.pop()
            lines.append(f"{indent}{task.display.splitlines()[0] if task.display else ''} {task.state}")
            left += [(child, indent + "  ") for child in reversed(task.children)]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Why:
    """Why a task does not run."""

    task_id: UUID
    display: str
    reason: str

    def __str__(self) -> str:
        return f"{self.display}: {self.reason}"
