"""The ExecutionContext that user code gets: it gathers what the task produces and sends nothing."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tilebox_celery.caches import FencedCache, JobCache, NoCache
from tilebox_celery.errors import ArgumentError
from tilebox_celery.ledger.calls import ClaimedTask, JobRef
from tilebox_celery.model.context import (
    MAX_PROGRESS_LABELS,
    CurrentTask,
    ExecutionContext,
    ProgressUpdate,
    check_label,
)
from tilebox_celery.model.submission import FutureTask, HasSlug, SubtaskCollector
from tilebox_celery.model.task import Task
from tilebox_celery.model.task_ids import public_task_id
from tilebox_celery.model.text import storable
from tilebox_celery.runner.registry import TaskEntry
from tilebox_celery.runner.task_calls import TaskCalls

if TYPE_CHECKING:
    from tilebox_celery.observability.context_logger import ContextLogger, ContextTracer

NO_CACHE = NoCache()


class RunnerContext:
    """What all tasks of one runner share; subclass it to hold open connections or models."""


class TaskContext(ExecutionContext):
    """The context of one attempt."""

    __slots__ = (
        "_cache",
        "_calls",
        "_claimed",
        "_collector",
        "_current",
        "_entry",
        "_is_current",
        "_job",
        "_job_cache",
        "_lease",
        "_shared",
        "progress_bars",
    )

    def __init__(
        self,
        claimed: ClaimedTask,
        entry: TaskEntry,
        job: JobRef,
        cache: JobCache | None,
        shared: Any,
        is_current: Callable[[], bool],
        lease: timedelta | None = None,
        calls: TaskCalls | None = None,
    ) -> None:
        self._claimed = claimed
        self._calls = calls
        self._entry = entry
        self._job = job
        self._cache = cache
        self._shared = shared
        self._is_current = is_current
        self._lease = lease
        self._job_cache: JobCache | None = None
        self._collector: SubtaskCollector | None = None
        self._current: CurrentTask | None = None
        self.progress_bars: dict[str, ProgressUpdate] | None = None

    @property
    def futures(self) -> list[FutureTask]:
        """The subtasks that were submitted."""
        return self._collector.futures if self._collector is not None else []

    @property
    def display(self) -> str | None:
        """The display that user code set; None where it is the default."""
        if self._current is None or self._current.display == (self._claimed.display or self._entry.default_display):
            return None
        return self._current.display

    def submit_subtask(
        self,
        task: Task,
        depends_on: FutureTask | Iterable[FutureTask] | None = None,
        cluster: str | HasSlug | None = None,
        max_retries: int = 0,
        optional: bool = False,
        *,
        limit: tuple[str, int] | None = None,
    ) -> FutureTask:
        """Gather a subtask."""
        return self._open_collector().submit_subtask(task, depends_on, cluster, max_retries, optional, limit=limit)

    def submit_subtasks(
        self,
        tasks: Iterable[Task],
        depends_on: FutureTask | Iterable[FutureTask] | None = None,
        cluster: str | HasSlug | None = None,
        max_retries: int = 0,
        optional: bool = False,
        *,
        limit: tuple[str, int] | None = None,
    ) -> list[FutureTask]:
        """Gather several subtasks."""
        return self._open_collector().submit_subtasks(tasks, depends_on, cluster, max_retries, optional, limit=limit)

    def _open_collector(self) -> SubtaskCollector:
        if self._calls is not None:
            self._calls.check_open("submit subtasks")
        if self._collector is None:
            self._collector = SubtaskCollector()
        return self._collector

    @property
    def job_cache(self) -> JobCache:
        """The cache of this job; writes are refused once the lease is lost."""
        if self._cache is None:
            return NO_CACHE
        if self._job_cache is None:
            self._job_cache = FencedCache(self._cache.group(str(self._job.uuid)), self._is_current)
        return self._job_cache

    @property
    def current_task(self) -> CurrentTask:
        """The running task, made on first use."""
        if self._current is None:
            claimed = self._claimed
            self._current = CurrentTask(
                public_task_id(claimed.job_id, claimed.id),
                self._entry.identifier,
                claimed.display or self._entry.default_display,
                input=claimed.input,
                job=self._job.as_job(),
                parent_id=None if claimed.parent_id is None else public_task_id(claimed.job_id, claimed.parent_id),
                depends_on=self._dependencies,
                attempt=claimed.attempt,
                retry_count=claimed.retries,
                lease=self._lease,
            )
        return self._current

    def progress(self, label: str | None = None) -> ProgressUpdate:
        """Return the progress bar of a label."""
        check_label(label)
        if self.progress_bars is None:
            self.progress_bars = {}
        key = storable(label or "")  # two labels that are stored alike are one bar
        if key not in self.progress_bars:
            if len(self.progress_bars) >= MAX_PROGRESS_LABELS:
                raise ArgumentError(
                    f"A task may have {MAX_PROGRESS_LABELS:,} progress labels; use one label for many units of work."
                )
            self.progress_bars[key] = ProgressUpdate(label, self._moved)
        return self.progress_bars[key]

    def _moved(self) -> None:
        if self._calls is not None and self.progress_bars is not None:
            self._calls.moved(self.progress_bars)

    def _dependencies(self) -> tuple[UUID, ...]:
        if self._calls is None:
            return ()
        return tuple(public_task_id(self._claimed.job_id, task) for task in self._calls.dependencies())

    @property
    def logger(self) -> "ContextLogger":
        """A logger bound to job and task."""
        from tilebox_celery.observability.context_logger import ContextLogger

        identity = {"job.id": str(self._job.uuid), "task.id": str(self.current_task.id)}
        return ContextLogger({**identity, "task.name": self._entry.default_display})

    @property
    def tracer(self) -> "ContextTracer":
        """A tracer below the span of this task."""
        from tilebox_celery.observability.context_logger import ContextTracer

        return ContextTracer()

    @property
    def runner_context(self) -> Any:
        """What the runner shares among its tasks."""
        return self._shared
