"""Answer the client's requests from the ledger, by direct connections."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from tilebox_celery.dispatch.publisher import Publisher
from tilebox_celery.errors import NotFoundError
from tilebox_celery.settings import Settings, redact_url

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tilebox_celery.ledger.control import Submission
    from tilebox_celery.ledger.open import Ledger
    from tilebox_celery.ledger.queries_canvas import JobGraph
    from tilebox_celery.ledger.queries_jobs import JobFilter, JobProgress
    from tilebox_celery.model.cluster import Cluster
    from tilebox_celery.model.job import Job, JobWaiter, TaskView, Why

logger = logging.getLogger("tilebox_celery.client")

Each = TypeVar("Each")


class LedgerTransport:
    """The `Transport` of a client that holds a Postgres login.

    Args:
        settings: Names the ledger.
        actor: Who acts, for the audit.
    """

    def __init__(self, settings: Settings, actor: str | None = None) -> None:
        self.settings = settings
        self._actor = actor
        self._opened: Ledger | None = None
        self._publisher: Publisher | None = None
        self._opening = threading.Lock()

    def __reduce__(self) -> tuple[type["LedgerTransport"], tuple[Settings, str | None]]:
        """Copy and pickle the clients of its nouns without their connections, which belong to one process."""
        return LedgerTransport, (self.settings, self._actor)

    @property
    def max_input_bytes(self) -> int:
        """Largest serialised input of a task."""
        return self.settings.max_input_bytes

    @property
    def ledger(self) -> "Ledger":
        """The ledger, opened and checked on first use."""
        if self._opened is None:
            with self._opening:
                if self._opened is None:
                    from tilebox_celery.ledger.open import open_ledger

                    if self.settings.ledger_url is None:
                        logger.info("no ledger URL is configured: using the embedded stack in %s", self.settings.home)
                    else:
                        logger.info("using the ledger at %s", redact_url(self.settings.ledger_url))
                    self._opened = open_ledger(self.settings, publisher=self._make_publisher, actor=self._actor)
        return self._opened

    def submit(self, submission: "Submission") -> datetime:
        """Store a job in one call."""
        return self.ledger.control.submit(submission)

    def find_job(self, job_id: UUID, client: "JobWaiter | None") -> "Job":
        """Return a job as it is now."""
        from tilebox_celery.ledger.queries_jobs import find_job

        with self.ledger.reading.connection() as connection:
            job = find_job(connection, job_id, client)
        if job is None:
            raise _no_such_job(job_id)
        return job

    def job_progress(self, job_id: UUID) -> "JobProgress":
        """Return state and counts of a job."""
        from tilebox_celery.ledger.queries_jobs import job_progress

        with self.ledger.reading.connection() as connection:
            progress = job_progress(connection, job_id)
        if progress is None:
            raise _no_such_job(job_id)
        return progress

    def list_jobs(self, which: "JobFilter", limit: int, after: UUID | None, client: "JobWaiter | None") -> "list[Job]":
        """Return a page of jobs."""
        from tilebox_celery.ledger.queries_jobs import list_jobs

        with self.ledger.reading.connection() as connection:
            return list_jobs(connection, which, limit=limit, after=after, client=client)

    def cancel_job(self, job_id: UUID) -> None:
        """Cancel a job and take its tasks out of the way."""
        self.ledger.control.cancel(job_id)

    def retry_job(self, job_id: UUID, dry_run: bool) -> int:
        """Retry a job."""
        return self.ledger.control.retry(job_id, dry_run=dry_run)

    def job_tasks(self, job_id: UUID) -> "Iterator[TaskView]":
        """Yield the tasks of a job; each page is one snapshot."""
        from tilebox_celery.ledger.queries_tasks import TaskReader

        return self._pages(TaskReader(self._job_key(job_id)).read)

    def why(self, job_id: UUID) -> "Iterator[Why]":
        """Yield a reason for each queued task; each page is one snapshot."""
        from tilebox_celery.ledger.queries_why import WhyReader

        return self._pages(WhyReader(self._job_key(job_id)).read)

    def job_graph(self, job_id: UUID) -> "JobGraph":
        """Return the tasks of a job in one snapshot."""
        from tilebox_celery.ledger.queries_canvas import read_graph

        with self.ledger.reading.connection(snapshot=True) as connection:
            graph = read_graph(connection, job_id)
        if graph is None:
            raise _no_such_job(job_id)
        return graph

    def job_shape(self, job_id: UUID) -> Mapping[str, Any] | None:
        """Return the shape of a canvas."""
        from tilebox_celery.ledger.queries_canvas import read_shape

        with self.ledger.reading.connection() as connection:
            return read_shape(connection, job_id)

    def job_results(self, job_id: UUID, positions: Iterable[int]) -> dict[int, bytes | None]:
        """Return results of root tasks in one snapshot."""
        from tilebox_celery.ledger.queries_canvas import read_results

        with self.ledger.reading.connection(snapshot=True) as connection:
            return read_results(connection, job_id, positions)

    def registered_names(self, names: Iterable[str]) -> set[str]:
        """Return names that any runner has registered."""
        from tilebox_celery.ledger.queries_canvas import registered_names

        with self.ledger.reading.connection() as connection:
            return registered_names(connection, names)

    def _job_key(self, job_id: UUID) -> int:
        from tilebox_celery.ledger.queries_jobs import job_key

        with self.ledger.reading.connection() as connection:
            key = job_key(connection, job_id)
        if key is None:
            raise _no_such_job(job_id)
        return key

    def _pages(self, read: "Callable[[Connection], list[Each]]") -> "Iterator[Each]":
        while True:
            with self.ledger.reading.connection(snapshot=True) as connection:
                page = read(connection)
            if not page:
                return
            yield from page

    def clusters(self) -> "list[Cluster]":
        """Return all clusters."""
        from tilebox_celery.ledger.queries_clusters import list_clusters

        with self.ledger.reading.connection() as connection:
            return list_clusters(connection)

    def find_cluster(self, slug: str | None) -> "Cluster":
        """Return a cluster; None is the default one."""
        from tilebox_celery.ledger.queries_clusters import find_cluster

        wanted = self.ledger.control.cluster_slug(None) if slug is None else slug
        with self.ledger.reading.connection() as connection:
            cluster = find_cluster(connection, wanted)
        if cluster is None:
            from tilebox_celery.ledger.routes import no_such_cluster

            raise no_such_cluster(wanted)
        return cluster

    def create_cluster(self, name: str, description: str | None, slug: str | None) -> "Cluster":
        """Create a cluster."""
        return self.ledger.control.create_cluster(name, description, slug)

    def update_cluster(self, slug: str, name: str | None, description: str | None) -> "Cluster":
        """Change a cluster."""
        return self.ledger.control.update_cluster(slug, name, description)

    def delete_cluster(self, slug: str) -> None:
        """Delete a cluster."""
        self.ledger.control.delete_cluster(slug)

    def create_runner(self, cluster: str | None, tasks: Iterable[Any], cache: Any, context: type | None) -> Any:
        """Make a runner in a cluster that exists."""
        from tilebox_celery.runner.task_runner import TaskRunner

        ledger = self.ledger
        slug = ledger.control.cluster_slug(cluster)
        return TaskRunner(ledger.url, ledger.broker_url, slug, tasks, cache, context, self.settings)

    def close(self) -> None:
        """Close all connections."""
        if self._opened is not None:
            self._opened.close()
        if self._publisher is not None:
            self._publisher.close()

    def _make_publisher(self, broker_url: str | None) -> Publisher:
        self._publisher = Publisher(broker_url)
        return self._publisher


def _no_such_job(job_id: UUID) -> NotFoundError:
    from tilebox_celery.ledger.control import no_such_job

    return no_such_job(job_id)
