"""The client of one server: hands out a client for each noun, and runners."""

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from tilebox_celery.client.clusters import ClusterClient
from tilebox_celery.client.jobs import JobClient
from tilebox_celery.errors import TileboxCeleryError
from tilebox_celery.model.submission import HasSlug, cluster_slug
from tilebox_celery.settings import Settings, database_url, redact_url

if TYPE_CHECKING:
    from tilebox_celery.client.transport import Transport
    from tilebox_celery.runner.task_runner import TaskRunner


class Client:
    """Talks to one ledger; making one contacts nobody.

    Args:
        url: ``postgresql://`` URL of the ledger. None, or the vendor's default URL, means ``TILEBOX_API_URL``, then
            ``TILEBOX_CELERY_LEDGER_URL``, then the embedded stack of this machine.
        token: Kept for the gateway; a direct connection takes its login from the URL. Default: ``TILEBOX_API_KEY``.
        name: Who acts, for the audit of jobs; by default user and host.
        client_id: Accepted, not used by a direct connection.
        transport: Accepted, not used by a direct connection.
        settings: All other settings; by default those of the environment.

    Raises:
        ArgumentError: The URL names something that cannot be used.

    Example:
        client = Client()
        job = client.jobs().submit("my-job", MyTask("input"))
        client.runner(tasks=[MyTask]).run_all()
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        token: str | None = None,
        name: str | None = None,
        client_id: str | None = None,
        transport: str = "grpc",
        settings: Settings | None = None,
    ) -> None:
        settings = Settings.from_environment() if settings is None else settings
        ledger_url = database_url(url)
        self.settings = settings if ledger_url is None else replace(settings, ledger_url=ledger_url)
        self._token = token if token is not None else os.environ.get("TILEBOX_API_KEY")
        self._name = name
        self._transport_made: Transport | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle what it was made of, with its login; connections belong to one process."""
        return {**self.__dict__, "_transport_made": None}

    def __repr__(self) -> str:
        url = self.settings.ledger_url
        return f"Client(url={'the embedded stack' if url is None else redact_url(url)!r})"

    def jobs(self) -> JobClient:
        """Return the client for jobs: submit, find, wait, query, cancel, retry."""
        return JobClient(self._transport)

    def clusters(self) -> ClusterClient:
        """Return the client for clusters: create, find, all, update, delete."""
        return ClusterClient(self._transport)

    def runner(
        self,
        cluster: str | HasSlug | None = None,
        tasks: Iterable[Any] | None = None,
        cache: Any = None,
        context: type | None = None,
    ) -> "TaskRunner":
        """Make a runner that executes tasks of one cluster.

        Args:
            cluster: Where it works; by default the default cluster.
            tasks: The Task classes (or plain Celery tasks of a canvas) that it can execute; `register` adds more.
            cache: The job cache of its tasks.
            context: A subclass of RunnerContext, made once and seen by tasks as `context.runner_context`.

        Raises:
            NotFoundError: There is no such cluster, or no default one.
            ValueError: Two classes have the same identifier, or a class has no execute method.
            TypeError: Something is not a task class, the cache is no job cache, or the context no class.

        Example:
            client.runner("testing-CvufcSxcC9SKfe", tasks=[MyTask]).run_forever()
        """
        slug = None if cluster is None else cluster_slug(cluster)
        runner: TaskRunner = self._transport.create_runner(slug, () if tasks is None else tasks, cache, context)
        return runner

    def automations(self) -> NoReturn:
        """Refuse: automations come with a later version.

        Raises:
            TileboxCeleryError: Always.
        """
        raise TileboxCeleryError("Automations (cron and storage event triggers) come with a later version.")

    def recurrent_tasks(self) -> NoReturn:
        """Refuse: recurrent tasks come with a later version.

        Raises:
            TileboxCeleryError: Always.
        """
        raise TileboxCeleryError("Recurrent tasks (cron and storage event triggers) come with a later version.")

    def configure_logging(self, logger: Any = None) -> None:
        """Do nothing: all loggers of `observability.logging` report already. Kept for scripts that call it."""

    def configure_logger(self, logger: Any = None) -> None:
        """Do nothing: all loggers of `observability.logging` report already. Kept for scripts that call it."""

    def configure_tracing(self, tracer: Any = None) -> None:
        """Do nothing: what `observability.tracing` configures is in effect. Kept for scripts that call it."""

    def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        if self._transport_made is not None:
            self._transport_made.close()

    @property
    def _transport(self) -> "Transport":
        if self._transport_made is None:
            from tilebox_celery.client.ledger_transport import LedgerTransport

            self._transport_made = LedgerTransport(self.settings, self._name)
        return self._transport_made
