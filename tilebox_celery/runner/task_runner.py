"""The TaskRunner that ``client.runner()`` gives: one at a time in this process, or a Celery worker."""

import os
import socket
from collections.abc import Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tilebox_celery.caches import JobCache
from tilebox_celery.dispatch.publisher import Publisher
from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.submission import HasSlug, cluster_slug
from tilebox_celery.model.task import Task
from tilebox_celery.runner.registry import TaskRegistry, check_shared
from tilebox_celery.settings import Settings

if TYPE_CHECKING:
    from celery import Celery

    from tilebox_celery.ledger.open import Ledger

POOLS = ("solo", "prefork", "threads")


class TaskRunner:
    """Runs the tasks of one cluster whose classes it registered.

    Args:
        ledger_url: ``postgresql://`` URL of the ledger.
        broker_url: URL of the message broker.
        cluster: Slug of the cluster.
        tasks: Task classes to register.
        cache: Shared by the tasks of each job; None: using the job cache raises NoCacheError.
        context: Class whose instance tasks reach as ``context.runner_context``.
        settings: Of this process.

    Raises:
        TypeError: A task is none, the cache is no job cache, or the context no class.
    """

    def __init__(
        self,
        ledger_url: str,
        broker_url: str | None,
        cluster: str | HasSlug,
        tasks: Iterable[type[Task]] = (),
        cache: JobCache | None = None,
        context: type[Any] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.ledger_url = ledger_url
        self.broker_url = broker_url
        self.cluster = cluster_slug(cluster)
        check_shared(cache, context)
        self.registry = TaskRegistry(tasks)
        self.cache = cache
        self.context_class = context
        self.settings = settings if settings is not None else Settings.from_environment()
        self._app: Celery | None = None
        self._ledger: Ledger | None = None
        self.publish = Publisher(broker_url)

    def register(self, task: type[Task]) -> None:
        """Add a task class.

        Raises:
            TypeError: It is no task class.
            ValueError: It has no execute method, or its identifier is taken.
        """
        self.registry.register(task)

    def run_all(self) -> None:
        """Run tasks one after the other until none is runnable here, then return.

        Failed tasks are recorded and do not raise. Tasks that wait for a retry's delay or for other runners are left.
        """
        from tilebox_celery.runner.event_loops import without_running_loop
        from tilebox_celery.runner.in_process import run_until_idle

        with without_running_loop():
            run_until_idle(self)

    def run_forever(self, *, concurrency: int = 1, pool: str = "solo") -> None:
        """Run as a Celery worker in this process until a signal ends it.

        Args:
            concurrency: Tasks at once.
            pool: ``solo`` (one at a time, in this process), ``prefork`` (processes) or ``threads``.

        Raises:
            ArgumentError: There is no such pool, or it cannot run so many tasks at once.
        """
        check_pool(pool, concurrency)
        from tilebox_celery.runner.event_loops import without_running_loop
        from tilebox_celery.runner.worker import run_worker

        with without_running_loop():
            run_worker(self.celery_app, pool=pool, concurrency=concurrency)

    @property
    def celery_app(self) -> "Celery":
        """The Celery app of this runner, for stock commands: ``celery -A my_runner:app worker -c 8``."""
        if self._app is None:
            from tilebox_celery.runner.celery_app import build_app

            self._app = build_app(self)
        return self._app

    @property
    def ledger(self) -> "Ledger":
        """The ledger for what is sent by ``delay()``: connected on first use, and kept."""
        if self._ledger is None:
            from tilebox_celery.ledger.open import Ledger

            self._ledger = Ledger(self.ledger_url, self.settings, broker_url=self.broker_url, publish=self.publish)
        return self._ledger

    @property
    def name(self) -> str:
        """What lists show: host and process."""
        return f"{self.cluster}@{socket.gethostname()}:{os.getpid()}"


def check_pool(pool: object, concurrency: object) -> None:
    """Refuse a pool that does not exist, and a number of tasks that it cannot run at once.

    Raises:
        ArgumentError: One of them cannot be used.
    """
    if pool not in POOLS:
        raise ArgumentError(f"pool must be {', '.join(map(repr, POOLS[:-1]))} or {POOLS[-1]!r}, not {pool!r:.80}.")
    if type(concurrency) is not int or concurrency < 1:
        raise ArgumentError(f"concurrency must be a whole number of 1 or more, not {concurrency!r:.80}.")
    if pool == "solo" and concurrency > 1:
        raise ArgumentError(
            f"The pool 'solo' runs one task at a time, not {concurrency}: choose pool='prefork' or pool='threads'."
        )


def code_version() -> str:
    """Return the version of the installed package."""
    return version("tilebox-celery")
