"""What the client's nouns ask of a server; today the ledger itself answers, later a gateway may."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from tilebox_celery.ledger.control import Submission
    from tilebox_celery.ledger.queries_canvas import JobGraph
    from tilebox_celery.ledger.queries_jobs import JobFilter, JobProgress
    from tilebox_celery.model.cluster import Cluster
    from tilebox_celery.model.job import Job, JobWaiter, TaskView, Why


class Transport(Protocol):
    """One server as all parts of a client see it; nothing is contacted before the first request.

    Every request raises AuthenticationError, LedgerUnavailable or LedgerVersionMismatch if the server cannot be used,
    and NotFoundError if it has no such object.
    """

    @property
    def max_input_bytes(self) -> int:
        """Largest serialised input of a task."""

    def submit(self, submission: "Submission") -> datetime:
        """Store a job, and return when it was submitted; the same id again changes nothing."""

    def find_job(self, job_id: UUID, client: "JobWaiter | None") -> "Job":
        """Return a job as it is now."""

    def job_progress(self, job_id: UUID) -> "JobProgress":
        """Return state and counts of a job."""

    def list_jobs(self, which: "JobFilter", limit: int, after: UUID | None, client: "JobWaiter | None") -> "list[Job]":
        """Return a page of jobs, the newest first."""

    def cancel_job(self, job_id: UUID) -> None:
        """Keep the queued tasks of a job from being picked up."""

    def retry_job(self, job_id: UUID, dry_run: bool) -> int:
        """Run the failed tasks of a job again, and return how many."""

    def job_tasks(self, job_id: UUID) -> Iterator["TaskView"]:
        """Yield the tasks of a job in the order of their ids, without children."""

    def why(self, job_id: UUID) -> Iterator["Why"]:
        """Yield a reason for each queued task of a job."""

    def job_graph(self, job_id: UUID) -> "JobGraph":
        """Return the tasks of a job with their inputs, and what waits for what."""

    def job_shape(self, job_id: UUID) -> "Mapping[str, Any] | None":
        """Return the shape of a canvas; None for a job that is none."""

    def job_results(self, job_id: UUID, positions: Iterable[int]) -> dict[int, bytes | None]:
        """Return the JSON results of the root tasks at some positions; None where a task returned null."""

    def registered_names(self, names: Iterable[str]) -> set[str]:
        """Return those task names that any runner has registered."""

    def clusters(self) -> "list[Cluster]":
        """Return all clusters."""

    def find_cluster(self, slug: str | None) -> "Cluster":
        """Return a cluster; None is the default one."""

    def create_cluster(self, name: str, description: str | None, slug: str | None) -> "Cluster":
        """Create a cluster."""

    def update_cluster(self, slug: str, name: str | None, description: str | None) -> "Cluster":
        """Change a cluster."""

    def delete_cluster(self, slug: str) -> None:
        """Delete a cluster that has nothing to do."""

    def create_runner(self, cluster: str | None, tasks: Iterable[Any], cache: Any, context: type | None) -> Any:
        """Make a runner that works for this server."""

    def close(self) -> None:
        """Close all connections; a later request opens new ones."""
