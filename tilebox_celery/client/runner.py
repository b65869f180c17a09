"""A runner that is put together before there is a client: its tasks, its cache, its context."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tilebox_celery.model.submission import HasSlug

if TYPE_CHECKING:
    from tilebox_celery.client.client import Client
    from tilebox_celery.runner.task_runner import TaskRunner


class Runner:
    """Task classes with their cache, ready to be connected to a client.

    Args:
        tasks: The Task classes that it can execute.
        cache: The job cache of its tasks.
        context: A subclass of RunnerContext, seen by tasks as `context.runner_context`.

    Raises:
        ValueError: Two classes have the same identifier, or a class has no execute method.
        TypeError: Something is not a task class, the cache is no job cache, or the context no class.

    Example:
        runner = Runner(tasks=[MyTask], cache=LocalFileSystemCache())
        runner.connect_to(Client(), "dev-cluster").run_forever()
    """

    def __init__(self, *, tasks: Iterable[Any] | None = None, cache: Any = None, context: type | None = None) -> None:
        from tilebox_celery.runner.registry import TaskRegistry, check_shared, listed_tasks

        check_shared(cache, context)
        self._registry = TaskRegistry()
        self._tasks: list[Any] = []
        self._cache = cache
        self._context = context
        for task in listed_tasks(tasks):
            self.register(task)

    def register(self, task: Any) -> None:
        """Add a Task class.

        Raises:
            ValueError: Its identifier is taken, or it has no execute method.
            TypeError: It is not a task class.
        """
        self._registry.register(task)
        self._tasks.append(task)

    def connect_to(self, client: "Client", cluster: str | HasSlug | None = None) -> "TaskRunner":
        """Make it a runner of one cluster.

        Args:
            client: Whose ledger it works for.
            cluster: Where it works; by default the default cluster.

        Raises:
            NotFoundError: There is no such cluster, or no default one.
        """
        return client.runner(cluster, tasks=self._tasks, cache=self._cache, context=self._context)
