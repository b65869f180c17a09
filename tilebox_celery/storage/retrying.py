"""When to try again, and how long to wait before it."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Event, Lock
from typing import Protocol, TypeVar

from tilebox_celery.errors import StorageError
from tilebox_celery.storage.remote import Interrupted

Result = TypeVar("Result")
PATIENCE = 0.2
"""Seconds after which a waiting thread looks whether it is still wanted."""


@dataclass(frozen=True)
class RetryPolicy:
    """How stubborn a client is.

    Example:
        >>> RetryPolicy(attempts=3, first_delay=timedelta(seconds=1)).attempts
        3
    """

    attempts: int = 6
    """In a row that bring less than 64 KiB each."""
    first_delay: timedelta = timedelta(milliseconds=500)
    """Doubles with each attempt; the real delay lies between half of it and all."""
    longest_delay: timedelta = timedelta(seconds=60)
    longest_retry_after: timedelta = timedelta(minutes=10)
    """A provider that asks for more makes the download fail, and the sentence says for how long to stay away."""

    def delay(self, failures: int, interruption: Interrupted, what: str) -> float:
        """Return the seconds to wait after so many failures in a row.

        Raises:
            StorageError: No further attempt is due.
        """
        asked = interruption.retry_after
        if failures >= self.attempts:
            raise StorageError(f"{what} failed {failures} times in a row, at last because {interruption.reason}.")
        if asked is not None and asked > self.longest_retry_after.total_seconds():
            raise StorageError(f"{what} has to wait: {interruption.reason}, and asks to come back in {asked:.0f} s.")
        backoff = self.first_delay.total_seconds() * 2.0 ** min(failures - 1, 30)
        backoff = min(backoff, self.longest_delay.total_seconds()) * random.uniform(0.5, 1)  # noqa: S311  # no secret
        return backoff if asked is None else max(asked, backoff)


class Flag(Protocol):
    """Something that may be set, such as a `threading.Event`."""

    def is_set(self) -> bool:
        """Tell whether it is."""


class Halt:
    """Tells threads that their work is not wanted any more: something failed, or the caller has gone."""

    def __init__(self, caller: Flag | None = None) -> None:
        """Name the flag by which the caller stops."""
        self._failed = Event()
        self._caller = caller
        self._aborts: list[Callable[[], object]] = []
        self._lock = Lock()

    def set(self) -> None:
        """Stop all that checks, and all that waits for bytes."""
        self._failed.set()
        with self._lock:
            for abort in self._aborts:
                with suppress(Exception):  # what has ended meanwhile
                    abort()

    @contextmanager
    def aborting(self, abort: Callable[[], object]) -> Iterator[None]:
        """Call something as soon as the work is not wanted any more."""
        with self._lock:
            self._aborts.append(abort)
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._aborts.remove(abort)

    def is_set(self) -> bool:
        """Tell whether the work is not wanted any more."""
        return self._failed.is_set() or (self._caller is not None and self._caller.is_set())

    def check(self) -> None:
        """Raise StorageError if the work is not wanted any more."""
        if self.is_set():
            raise StorageError("The download was cancelled; what has arrived is kept for the next one.")

    def sleep(self, seconds: float) -> None:
        """Wait, but not longer than the work is wanted."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            self.check()
            self._failed.wait(min(rest, PATIENCE))
        self.check()


def with_retries(call: Callable[[], Result], policy: RetryPolicy, halt: Halt, what: str) -> Result:
    """Return what the call returns, and repeat it while it is interrupted.

    Raises:
        StorageError: It was interrupted too often.
    """
    failures = 0
    while True:
        halt.check()
        try:
            return call()
        except Interrupted as interruption:
            failures += 1
            halt.sleep(policy.delay(failures, interruption, what))


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for, or None.

    Args:
        headers: Of an answer.
        now: For the form with a date; None is the clock.

    Example:
        >>> retry_after({"Retry-After": "7"})
        7.0
    """
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if text.isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
