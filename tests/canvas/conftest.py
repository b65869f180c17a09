"""A runner that knows the tasks of an existing Celery project."""

from collections.abc import Callable
from typing import Any

import pytest
from canvas_project import TASKS

from tilebox_celery.client.client import Client
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.job import Job
from tilebox_celery.runner.task_runner import TaskRunner


@pytest.fixture
def runner(client: Client, cluster: Cluster) -> TaskRunner:
    """A runner of this process."""
    return client.runner(cluster, tasks=TASKS)


@pytest.fixture
def run_job(client: Client, runner: TaskRunner) -> Callable[[Any], Job]:
    """Submit a canvas, run what is runnable, and return the job as it is then."""

    def run_job(signature: Any) -> Job:
        job = client.jobs().submit_canvas("canvas", signature)
        runner.run_all()
        return client.jobs().find(job)

    return run_job


@pytest.fixture
def run(client: Client, run_job: Callable[[Any], Job]) -> Callable[[Any], Any]:
    """Run a canvas and return its result."""
    return lambda signature: client.jobs().result(run_job(signature))
