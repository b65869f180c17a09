"""What a running task may ask for: the interface behind the `context` argument of `execute`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.states import TaskState
from tilebox_celery.model.submission import FutureTask, HasSlug
from tilebox_celery.model.task import Task
from tilebox_celery.model.text import cut_display

if TYPE_CHECKING:
    from tilebox_celery.model.job import Job

MAX_PROGRESS_LABELS = 1000
"""How many progress bars one task may move; a job has those of all its tasks."""

MAX_COUNT = 2**63 - 1
"""How far a progress bar counts."""
MAX_LABEL = 256
"""Characters of a progress label."""


class TaskCache(Protocol):
    """The part of a job cache that task code uses: text keys, bytes values, `/` makes groups."""

    def __contains__(self, key: str) -> bool: ...
    def __getitem__(self, key: str) -> bytes: ...
    def __setitem__(self, key: str, value: bytes) -> None: ...
    def __delitem__(self, key: str) -> None: ...
    def __iter__(self) -> Iterator[str]: ...
    def group(self, key: str) -> "TaskCache": ...


class TaskLogger(Protocol):
    """Logs messages with attributes, already bound to the running task."""

    def debug(self, message: str, **attributes: Any) -> None: ...
    def info(self, message: str, **attributes: Any) -> None: ...
    def warning(self, message: str, **attributes: Any) -> None: ...
    def error(self, message: str, **attributes: Any) -> None: ...
    def critical(self, message: str, **attributes: Any) -> None: ...
    def exception(self, message: str, **attributes: Any) -> None: ...
    def bind(self, **attributes: Any) -> "TaskLogger": ...


class TaskTracer(Protocol):
    """Opens spans below the span of the running task."""

    def span(self, name: str) -> AbstractContextManager[Any]: ...
    def current_span(self) -> Any: ...


class ProgressUpdate:
    """One progress bar of the job, as far as this attempt of this task moves it.

    Example:
        >>> bar = ProgressUpdate("tiles")
        >>> bar.add(3)
        >>> bar.done()
        >>> bar.total, bar.completed
        (3, 1)
    """

    __slots__ = ("_lock", "_moved", "completed", "label", "total")

    def __init__(self, label: str | None = None, moved: Callable[[], None] | None = None) -> None:
        self.label = label
        self._moved = moved
        self.total = 0
        """Units of work that were announced."""
        self.completed = 0
        """Units of work that are done."""
        self._lock = Lock()

    def add(self, count: int = 1) -> None:
        """Announce more work.

        Raises:
            ArgumentError: The number is negative, no whole number, or more than a bar can hold.
        """
        with self._lock:
            self.total = _moved_count(self.total, count)
        if self._moved is not None:
            self._moved()

    def done(self, count: int = 1) -> None:
        """Mark work as done.

        Raises:
            ArgumentError: The number is negative, no whole number, or more than a bar can hold.
        """
        with self._lock:
            self.completed = _moved_count(self.completed, count)
        if self._moved is not None:
            self._moved()

    def __repr__(self) -> str:
        return f"ProgressUpdate(label={self.label!r}, total={self.total}, completed={self.completed})"


class CurrentTask:
    """The task that runs, seen from inside."""

    __slots__ = (
        "_depends_on",
        "_display",
        "attempt",
        "id",
        "identifier",
        "input",
        "job",
        "lease",
        "parent_id",
        "retry_count",
    )

    def __init__(
        self,
        id: UUID,  # noqa: A002 # the documented name
        identifier: TaskIdentifier,
        display: str,
        *,
        input: bytes = b"",  # noqa: A002 # the documented name
        job: "Job | None" = None,
        parent_id: UUID | None = None,
        depends_on: tuple[UUID, ...] | Callable[[], tuple[UUID, ...]] = (),
        attempt: int = 1,
        retry_count: int = 0,
        lease: timedelta | None = None,
    ) -> None:
        self.id = id
        self.identifier = identifier
        self._display = display
        self.input = input
        self.job = job
        self.parent_id = parent_id
        self._depends_on = depends_on
        self.attempt = attempt
        """1 for the first attempt."""
        self.retry_count = retry_count
        """How many retries of `max_retries` are used up."""
        self.lease = lease

    @property
    def depends_on(self) -> tuple[UUID, ...]:
        """The ids of the tasks that this one was submitted to run after; asked of the ledger on first use."""
        if callable(self._depends_on):
            self._depends_on = self._depends_on()
        return self._depends_on

    @property
    def state(self) -> TaskState:
        """RUNNING, since only running tasks have a context."""
        return TaskState.RUNNING

    @property
    def display(self) -> str:
        """The name that diagrams and lists show; set it to say what this task works on (at most 1,024 characters)."""
        return self._display

    @display.setter
    def display(self, text: str) -> None:
        self._display = cut_display(str(text))

    def __repr__(self) -> str:
        return f"CurrentTask(id={self.id}, identifier={self.identifier}, display={self._display!r})"


class ExecutionContext(ABC):
    """Given to `execute`: submits subtasks, reaches the job cache, reports progress, logs.

    Subtasks are stored together with the end of the task, and only if it succeeds.

    Example:
        >>> class Parent(Task):
        ...     def execute(self, context: ExecutionContext) -> None:
        ...         first = context.submit_subtask(Child(1))
        ...         context.submit_subtask(Child(2), depends_on=first)
        >>> class Child(Task):
        ...     number: int
    """

    __slots__ = ()

    @abstractmethod
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
        """Submit a subtask, which runs after this task has ended.

        Args:
            task: What to run.
            depends_on: Subtasks of this context that must be completed, with all of their subtasks, before.
            cluster: Where to run it; by default where this task runs.
            max_retries: How often to run it again after a failure.
            optional: If it fails in the end, the job goes on without it and what depends on it runs.
            limit: A key and a number: at most so many tasks of this job with this key run at once.

        Returns:
            A handle for `depends_on` of later subtasks.

        Raises:
            TypeError: `task` is no task, or `depends_on` no handle.
            DependencyError: A handle comes from another context.
            ArgumentError: Another argument cannot be used.
            InputError: A field of the task cannot be stored as JSON.
            TileboxCeleryError: The task has ended, or this is a process that it forked.

        Example:
            tiles = [context.submit_subtask(Tile(i), max_retries=2) for i in range(4)]
            context.submit_subtask(Mosaic(), depends_on=tiles)
        """

    @abstractmethod
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
        """Submit several subtasks with the same options.

        Args:
            tasks: What to run, in any order.
            depends_on: As in `submit_subtask`, for each of them.
            cluster: As in `submit_subtask`.
            max_retries: As in `submit_subtask`.
            optional: As in `submit_subtask`.
            limit: As in `submit_subtask`.

        Returns:
            One handle per task, in order.

        Example:
            tiles = context.submit_subtasks([Tile(i) for i in range(4)])
        """

    def submit_batch(
        self, tasks: Iterable[Task], cluster: str | HasSlug | None = None, max_retries: int = 0
    ) -> list[FutureTask]:
        """Submit several subtasks; the deprecated name of `submit_subtasks`."""
        return self.submit_subtasks(tasks, cluster=cluster, max_retries=max_retries)

    @property
    @abstractmethod
    def job_cache(self) -> TaskCache:
        """The cache that the tasks of this job share.

        Raises:
            NoCacheError: On first use, if the runner was made without a cache.

        Example:
            context.job_cache.group("tiles")["0"] = data
        """

    @property
    @abstractmethod
    def current_task(self) -> CurrentTask:
        """The running task.

        Example:
            context.current_task.display = f"Tile {self.x}, {self.y}"
        """

    @abstractmethod
    def progress(self, label: str | None = None) -> ProgressUpdate:
        """Return a progress bar of the job; the same label is the same bar for all tasks.

        Args:
            label: Which bar; None is the unnamed one. A task has at most 1,000.

        Example:
            context.progress("tiles").add(len(tiles))
            context.progress("tiles").done(1)

        Raises:
            ArgumentError: The label is no text or has more than 256 characters, or the task has too many.
        """

    @property
    @abstractmethod
    def logger(self) -> TaskLogger:
        """A logger that knows job and task.

        Example:
            context.logger.info("tile read", cloud_cover=0.2)
        """

    @property
    @abstractmethod
    def tracer(self) -> TaskTracer:
        """A tracer below the span of this task.

        Example:
            with context.tracer.span("download"):
                ...
        """

    @property
    @abstractmethod
    def runner_context(self) -> Any:
        """What the runner shares among all tasks that it runs, such as open connections."""


def check_label(label: object) -> None:
    """Refuse what cannot be the label of a progress bar.

    Raises:
        ArgumentError: It is neither a text nor None, or too long.
    """
    if label is not None and not isinstance(label, str):
        raise ArgumentError(f"A progress label is a text, or None, not {label!r:.80}.")
    if label is not None and len(label) > MAX_LABEL:
        raise ArgumentError(
            f"A progress label has at most {MAX_LABEL} characters, {label!r:.40}... has {len(label):,}: "
            "it names a bar that many tasks move."
        )


def _moved_count(before: int, count: int) -> int:
    if type(count) is not int or count < 0:
        raise ArgumentError(f"Progress takes a whole number of 0 or more, not {count!r:.80}.")
    if before + count > MAX_COUNT:
        raise ArgumentError(
            f"A progress bar counts to {MAX_COUNT:,} at most: {before:,} and {count:,} more do not fit."
        )
    return before + count
