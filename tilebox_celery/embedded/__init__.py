"""Run a real PostgreSQL and a real Valkey from wheels in one data directory, for users who configured no server."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tilebox_celery.embedded.stack import Stack, StackStatus, down, leave, start, status

__all__ = ["Stack", "StackStatus", "down", "leave", "start", "status"]


def __getattr__(name: str) -> object:
    """Load the stack on first use, so that the supervisor and task authors do not pay for it."""
    if name in __all__:
        from tilebox_celery.embedded import stack

        return getattr(stack, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
