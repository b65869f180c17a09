"""Gather subtasks while user code runs, and turn them into one batch of task groups with edges."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from tilebox_celery.errors import ArgumentError, DependencyError, TooManySubtasks
from tilebox_celery.model.grouping import group_by_dependencies
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.inputs import serialize
from tilebox_celery.model.task import Task

MAX_RETRIES = 2**31 - 1
MAX_LIMIT_KEY = 256


@runtime_checkable
class HasSlug(Protocol):
    """A cluster object, which is accepted wherever a cluster slug is."""

    @property
    def slug(self) -> str: ...


class FutureTask:
    """A task that was submitted and is not stored yet; others of the same context may depend on it."""

    __slots__ = (
        "cluster",
        "depends_on",
        "display",
        "identifier",
        "index",
        "input",
        "limit",
        "max_retries",
        "optional",
        "task",
    )

    def __init__(
        self,
        index: int,
        task: Task,
        depends_on: tuple[int, ...] = (),
        *,
        cluster: str | None = None,
        max_retries: int = 0,
        optional: bool = False,
        limit: tuple[str, int] | None = None,
    ) -> None:
        """Serialise the task: what happens to it afterwards has no effect.

        Raises:
            InputError: A field of the task cannot be stored.
        """
        self.index = index
        self.task = task
        self.depends_on = depends_on
        self.cluster = cluster
        self.max_retries = max_retries
        self.optional = optional
        self.limit = limit
        cls = type(task)
        self.identifier: TaskIdentifier = cls.__task_identifier__
        self.input: bytes = serialize(task)
        self.display: str | None = None if cls.__name__ == self.identifier.name else cls.__name__

    def __repr__(self) -> str:
        return f"FutureTask(index={self.index}, task={self.task!r}, depends_on={list(self.depends_on)})"


@dataclass(frozen=True, slots=True)
class TaskBatch:
    """Sibling tasks as the ledger takes them: parallel lists, their groups, and the edges between groups."""

    identifiers: list[TaskIdentifier]
    clusters: list[str | None]
    """None means the cluster of the parent or of the job."""
    inputs: list[bytes]
    displays: list[str | None]
    """None means the name of the identifier."""
    max_retries: list[int]
    optionals: list[bool]
    limits: list[tuple[str, int] | None]
    groups: list[int]
    """Number of the group of each task."""
    group_count: int
    edges_from: list[int]
    """Groups that must be completed ..."""
    edges_to: list[int]
    """... before these groups start; always the larger number."""

    def __len__(self) -> int:
        return len(self.identifiers)


class SubtaskCollector:
    """Gathers the subtasks of one execution (or the root tasks of one job) and checks each on the way in."""

    __slots__ = ("futures",)

    def __init__(self) -> None:
        self.futures: list[FutureTask] = []
        """What was submitted, in order."""

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
        """Submit one subtask; see `ExecutionContext.submit_subtask`."""
        futures = self.futures
        future = FutureTask(
            len(futures),
            check_task(task),
            () if depends_on is None else self._dependencies(depends_on),
            cluster=None if cluster is None else cluster_slug(cluster),
            max_retries=check_max_retries(max_retries),
            optional=bool(optional),
            limit=None if limit is None else check_limit(limit),
        )
        futures.append(future)
        return future

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
        """Submit many subtasks with the same options, all or none; see `ExecutionContext.submit_subtasks`."""
        if isinstance(tasks, Task):
            raise TypeError(f"submit_subtasks takes several tasks; use submit_subtask for one {type(tasks).__name__}.")
        indexes = () if depends_on is None else self._dependencies(depends_on)
        slug = None if cluster is None else cluster_slug(cluster)
        check_max_retries(max_retries)
        checked_limit = None if limit is None else check_limit(limit)
        given = list(tasks)  # a generator may itself submit, which moves the index
        start = len(self.futures)
        new = [
            FutureTask(
                index,
                check_task(task),
                indexes,
                cluster=slug,
                max_retries=max_retries,
                optional=bool(optional),
                limit=checked_limit,
            )
            for index, task in enumerate(given, start)
        ]
        self.futures += new
        return new

    def _dependencies(self, depends_on: FutureTask | Iterable[FutureTask]) -> tuple[int, ...]:
        try:
            wanted = [depends_on] if isinstance(depends_on, FutureTask) else list(depends_on)
        except TypeError:
            raise _not_a_future(depends_on) from None
        futures = self.futures
        for future in wanted:
            if not isinstance(future, FutureTask):
                raise _not_a_future(future)
            if future.index >= len(futures) or futures[future.index] is not future:
                raise DependencyError(
                    f"{future!r} was submitted elsewhere; a task can depend only on subtasks of the same context."
                )
        return tuple(sorted({future.index for future in wanted}))


def group_tasks(futures: Sequence[FutureTask]) -> TaskBatch:
    """Put tasks that have equal dependencies and equal dependents into one group, and number groups so that
    a dependency's number is always smaller.

    Args:
        futures: Siblings; `depends_on` holds positions in this sequence.

    Raises:
        DependencyError: A position does not exist, or tasks wait for each other.
    """
    graph = group_by_dependencies([future.depends_on for future in futures])
    return TaskBatch(
        [future.identifier for future in futures],
        [future.cluster for future in futures],
        [future.input for future in futures],
        [future.display for future in futures],
        [future.max_retries for future in futures],
        [future.optional for future in futures],
        [future.limit for future in futures],
        graph.groups,
        graph.group_count,
        graph.edges_from,
        graph.edges_to,
    )


def subtask_limit(cls: type[Task], default: int | None) -> int | None:
    """Return how many subtasks one execution of a class may submit; None means any number."""
    return getattr(cls, "max_subtasks", default)


def check_subtask_limit(cls: type[Task], count: int, default: int | None) -> None:
    """Check the number of subtasks that an execution submitted.

    Args:
        cls: The class of the parent task.
        count: How many subtasks it submitted.
        default: The limit for classes that do not state one.

    Raises:
        TooManySubtasks: There are too many; none of them may run.
    """
    limit = subtask_limit(cls, default)
    if limit is not None and count > limit:
        raise TooManySubtasks(
            f"Task {cls.__name__} submitted {count} subtasks, but one execution may submit {limit}; "
            f"spread them over more levels, or set max_subtasks in the class."
        )


def check_task(task: object) -> Task:
    """Check that something is an instance of a task class.

    Raises:
        TypeError: It is not.
    """
    if isinstance(task, Task):
        return task
    if isinstance(task, type) and issubclass(task, Task):
        raise TypeError(f"{task.__name__} is a task class; submit an instance of it, such as {task.__name__}(...).")
    raise TypeError(f"{type(task).__name__} is not a task! Submit an instance of a Task class.")


def check_max_retries(value: int) -> int:
    """Check a number of retries.

    Raises:
        ArgumentError: It is no number, or negative.
    """
    if type(value) is not int or not 0 <= value <= MAX_RETRIES:
        raise ArgumentError(f"max_retries must be a whole number of 0 or more, not {value!r:.80}.")
    return value


def check_limit(limit: object) -> tuple[str, int]:
    """Check a limit of tasks that may run at once.

    Raises:
        ArgumentError: It is not a tuple of a key and a number of at least 1.
    """
    match limit:
        case (str(key), int(count)) if key and "\x00" not in key and len(key) <= MAX_LIMIT_KEY and _positive(count):
            return key, count
    raise ArgumentError(
        f"limit must be a key and a number of at least 1, such as ('copernicus', 4), not {limit!r:.80}."
    )


def cluster_slug(cluster: Any) -> str:
    """Return the slug of a cluster, given as slug or as object.

    Raises:
        ArgumentError: It is neither.
    """
    slug = cluster if isinstance(cluster, str) else getattr(cluster, "slug", None)
    if not isinstance(slug, str) or not slug:
        raise ArgumentError(f"Expected a cluster or its slug, not {cluster!r:.80}.")
    return slug


def _positive(count: int) -> bool:
    return not isinstance(count, bool) and 1 <= count <= MAX_RETRIES


def _not_a_future(value: object) -> TypeError:
    return TypeError(
        f"depends_on takes what submit_subtask returned (a FutureTask or a list of them), not {type(value).__name__}."
    )
