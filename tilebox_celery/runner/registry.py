"""Find the class that runs a task: what a runner registered, by identifier and by route."""

from collections.abc import Callable, Iterable
from typing import Any

from tilebox_celery.caches import JobCache
from tilebox_celery.errors import TaskNotRegistered
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.task import Task, check_registrable, task_identifier
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.runner.celery_task import adopt, celery_identifier, is_celery_task


class TaskEntry:
    """A registered task class."""

    __slots__ = ("cls", "default_display", "identifier")

    def __init__(self, cls: type[Task]) -> None:
        self.cls = cls
        self.identifier = task_identifier(cls)
        self.default_display = self.identifier.name


class CeleryEntry(TaskEntry):
    """A registered plain Celery task, for canvas jobs."""

    __slots__ = ("task", "trace")

    def __init__(self, task: Any) -> None:
        self.task = adopt(task)
        self.cls = type(self.task)
        self.identifier = celery_identifier(self.task)
        self.default_display = self.identifier.name
        self.trace: Callable[..., Any] | None = None
        """Runs the task as a Celery worker does, with hooks and signals; made on first use."""


class TaskRegistry:
    """The task classes of one runner.

    Args:
        tasks: Classes, or plain Celery tasks, to register.

    Raises:
        TypeError: Something is no task class.
        ValueError: A class has no execute method, or an identifier is registered twice.
    """

    def __init__(self, tasks: Iterable[Any] = ()) -> None:
        self._entries: dict[tuple[str, int], TaskEntry] = {}
        self._routes: dict[int, TaskEntry] = {}
        for task in listed_tasks(tasks):
            self.register(task)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def identifiers(self) -> list[TaskIdentifier]:
        """What is registered, in order of registration."""
        return [entry.identifier for entry in self._entries.values()]

    @property
    def entries(self) -> list[TaskEntry]:
        """What is registered, in order of registration."""
        return list(self._entries.values())

    @property
    def classes(self) -> list[type[Task]]:
        """The registered classes."""
        return [entry.cls for entry in self._entries.values()]

    def register(self, task: Any) -> None:
        """Add a class, or a plain Celery task."""
        entry = CeleryEntry(task) if is_celery_task(task) else TaskEntry(check_registrable(task))
        name, major = entry.identifier.name, entry.identifier.major
        known = self._entries.get((name, major))
        if known is not None and known.cls is not entry.cls:
            raise ValueError(
                f"Two tasks are registered as {name!r} with the same major version: {known.cls.__name__} "
                f"({known.identifier.version}) and {entry.cls.__name__} ({entry.identifier.version}). "
                "A runner can hold one of them."
            )
        self._entries[name, major] = entry

    def entry(self, connection: Connection, route_id: int) -> TaskEntry:
        """Return the class for a route; the first use of a route asks the ledger for its identifier.

        Raises:
            TaskNotRegistered: The ledger handed out a task that this runner did not register.
        """
        known = self._routes.get(route_id)
        if known is not None:
            return known
        row = connection.execute("select name, major, minor from tbx.routes where id = %s", (route_id,)).fetchone()
        entry = self._entries.get((row[0], row[1])) if row else None
        if row is None or entry is None or entry.identifier.minor < row[2]:
            what = f"{row[0]!r} v{row[1]}.{row[2]}" if row else f"route {route_id}"
            raise TaskNotRegistered(f"This runner was handed a task {what}, which it did not register.")
        self._routes[route_id] = entry
        return entry


def listed_tasks(tasks: Any) -> Iterable[Any]:
    """Return the tasks that a runner was given.

    Raises:
        TypeError: They are no list, such as one class alone.
    """
    if tasks is None:
        return ()
    if isinstance(tasks, type | str | bytes) or is_celery_task(tasks) or not isinstance(tasks, Iterable):
        name = getattr(tasks, "__name__", None) or f"{tasks!r:.80}"
        raise TypeError(f"tasks takes a list of task classes, such as [MyTask], not {name}.")
    return tasks


def check_shared(cache: object, context: object) -> None:
    """Check what all tasks of a runner share.

    Raises:
        TypeError: The cache is no job cache, or the context no class.
    """
    if cache is not None and not isinstance(cache, JobCache):
        what = f"the class {cache.__name__}" if isinstance(cache, type) else f"{cache!r:.80}"
        raise TypeError(f"cache takes a job cache, such as LocalFileSystemCache('cache'), not {what}.")
    if context is not None and not isinstance(context, type):
        raise TypeError(f"context takes a class, which is made once for the runner, not {context!r:.80}.")
