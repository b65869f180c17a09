"""Tilebox workflows, self-hosted on Celery with a durable Postgres job ledger."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tilebox_celery.client.client import Client
    from tilebox_celery.model.context import ExecutionContext
    from tilebox_celery.model.task import Task

__all__ = ["Client", "ExecutionContext", "Task"]


def __getattr__(name: str) -> object:
    """Load a public name on first use: writing a Task needs no broker and no database library."""
    if name in __all__:
        from tilebox_celery import workflows

        return getattr(workflows, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
