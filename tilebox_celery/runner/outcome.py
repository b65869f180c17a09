"""What one execution produced: a value, Computed or Failed."""

from dataclasses import dataclass

from tilebox_celery.model.submission import TaskBatch


@dataclass(slots=True)
class Computed:
    """The task returned."""

    display: str | None = None
    batch: TaskBatch | None = None
    """Its subtasks; None for none."""
    routes: list[int] | None = None
    """The route of each subtask."""
    result: bytes | None = None
    """JSON result of a plain Celery task."""


@dataclass(slots=True)
class Failed:
    """The task raised."""

    display: str | None
    error: str
    """Traceback, cut to 64 KiB."""
    delay_us: int = 0
    """How long to wait before the retry."""
    is_final: bool = False
    """Do not retry, whatever is left."""


PLAIN = Computed()
"""The outcome of a task that left nothing to store but that it is computed."""


class RetryAskedError(Exception):
    """A Celery task asked to be run again: this attempt fails, the next one comes after a delay."""

    def __init__(self, message: str, delay_us: int) -> None:
        super().__init__(message)
        self.delay_us = delay_us
