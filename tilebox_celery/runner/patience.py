"""A limit of time for calls that may never be answered: a server that is stopped refuses nothing."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from tilebox_celery.errors import LedgerUnavailable


@contextlib.contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Raise LedgerUnavailable in a block that takes longer; only in the main thread, and not one in another.

    Args:
        seconds: From the start of the block.
    """

    def give_up(number: int, frame: FrameType | None) -> None:
        raise LedgerUnavailable(f"The ledger has not answered within {seconds:g} s.")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
