"""The documents' front door: everything that a workflow author imports, loaded on first use."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tilebox_celery.client.client import Client
    from tilebox_celery.client.runner import Runner
    from tilebox_celery.model.cluster import Cluster
    from tilebox_celery.model.context import ExecutionContext
    from tilebox_celery.model.job import Job
    from tilebox_celery.model.task import Task
    from tilebox_celery.runner.context import RunnerContext
    from tilebox_celery.runner.task_runner import TaskRunner

__all__ = ["Client", "Cluster", "ExecutionContext", "Job", "Runner", "RunnerContext", "Task", "TaskRunner"]

_HOMES = {
    "Client": "client.client",
    "Cluster": "model.cluster",
    "ExecutionContext": "model.context",
    "Job": "model.job",
    "Runner": "client.runner",
    "RunnerContext": "runner.context",
    "Task": "model.task",
    "TaskRunner": "runner.task_runner",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use: writing a Task needs no broker and no database library."""
    if name in _HOMES:
        value: object = getattr(import_module(f"tilebox_celery.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, too."""
    return sorted({*globals(), *__all__})
