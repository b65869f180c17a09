"""What the exit code of every command means, and which error has which."""

from enum import IntEnum

from tilebox_celery.errors import (
    ArgumentError,
    AuthenticationError,
    BrokerUnavailable,
    EmbeddedStackError,
    LedgerUnavailable,
    NotFoundError,
)
from tilebox_celery.model.states import JobState


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    """Done; of a job: completed, or still on its way where nobody waited for it."""
    FAILED = 1
    """The job failed, or the command did."""
    USAGE = 2
    """An argument cannot be used."""
    CANCELED = 3
    """The job was canceled."""
    NOT_FOUND = 4
    """There is no such job, cluster or task."""
    UNREACHABLE = 5
    """Postgres or the broker cannot be reached, or refuses the login."""
    TIMED_OUT = 124
    """The time that was given was not enough."""
    INTERRUPTED = 130
    """Ctrl-C."""


def code_of(error: BaseException) -> ExitCode:
    """Return the exit code for an error.

    Example:
        >>> code_of(NotFoundError("No such job."))
        <ExitCode.NOT_FOUND: 4>
    """
    for kinds, code in _CODES:
        if isinstance(error, kinds):
            return code
    return ExitCode.FAILED


def code_of_job(state: JobState) -> ExitCode:
    """Return the exit code of a command that waited for a job.

    Example:
        >>> code_of_job(JobState.CANCELED)
        <ExitCode.CANCELED: 3>
    """
    match state:
        case JobState.FAILED:
            return ExitCode.FAILED
        case JobState.CANCELED:
            return ExitCode.CANCELED
    return ExitCode.OK


_CODES: tuple[tuple[tuple[type[BaseException], ...], ExitCode], ...] = (
    ((KeyboardInterrupt,), ExitCode.INTERRUPTED),
    ((TimeoutError,), ExitCode.TIMED_OUT),
    ((ArgumentError,), ExitCode.USAGE),
    ((NotFoundError,), ExitCode.NOT_FOUND),
    ((LedgerUnavailable, BrokerUnavailable, AuthenticationError, EmbeddedStackError), ExitCode.UNREACHABLE),
)
