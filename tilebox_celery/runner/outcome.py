"""What one execution produced: a value, Computed or Failed."""

import traceback
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


class Interrupted(KeyboardInterrupt):
    """Our own signal handler ends the run: not the doing of the task that it meets."""


class RetryAskedError(Exception):
    """A Celery task asked to be run again: this attempt fails, the next one comes after a delay.

    Args:
        message: Celery's.
        cause: The exception that the task was retried for.
        delay_us: How long to wait.
    """

    def __init__(self, message: str, cause: BaseException | None, delay_us: int) -> None:
        super().__init__(message)
        self.delay_us = delay_us
        why = "" if cause is None else "".join(traceback.format_exception(cause))
        self.report = f"{why[-60_000:]}{message}"
        """For the journal."""
