"""Submitting jobs: what is stored, and what is refused with nothing written."""

from uuid import UUID

import pytest

from tilebox_celery.client.client import Client
from tilebox_celery.errors import ArgumentError, InputError, NotFoundError
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.states import JobState, TaskState
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.settings import Settings
from tilebox_celery.workflows import ExecutionContext, Task


class Greet(Task):
    name: str

    def execute(self, context: ExecutionContext) -> None:
        pass


def stored_jobs(connection: Connection) -> int:
    row = connection.execute("select count(*) from tbx.jobs").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.clause("1.6-1", "1.6-15")
def test_submit_stores_a_job(client: Client, cluster: Cluster) -> None:
    """A submitted job has an id, a name and a trace, and can be found as it was submitted."""
    job = client.jobs().submit("my-job", Greet("World"), cluster.slug, max_retries=2)

    found = client.jobs().find(job.id)
    assert (found.id, found.name, found.trace_parent) == (job.id, "my-job", job.trace_parent)
    assert (found.state, found.canceled, found.completed) == (JobState.SUBMITTED, False, False)
    assert found.execution_stats.tasks_by_state[TaskState.QUEUED] == 1
    assert isinstance(job.id, UUID)
