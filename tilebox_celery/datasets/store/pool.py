"""Keep connections of one sort for their next use: for all threads of this process, and for no other process."""

import os
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, Protocol, TypeVar

import psycopg

from tilebox_celery.datasets.store.arrow_connection import ArrowError

KEPT = 8
"""Idle connections; an asynchronous client rarely overlaps more loads."""
TRUSTED_SECONDS = 1.0
"""A connection that was idle for longer is asked first: the embedded servers may have stopped meanwhile."""


class Closable(Protocol):
    """A connection of either sort."""

    def execute(self, query: Any, /) -> Any:
        """Run a statement."""

    def close(self) -> None:
        """End it."""


C = TypeVar("C", bound=Closable)
Idle = deque[tuple[float, C]]
"""Since when (monotonic seconds) each connection is idle; the last one is the next to be lent."""


class Pool(Generic[C]):
    """Idle connections by process: a fork starts with none, and leaves those of its parent alone.

    There is no lock, which a fork could inherit while a thread of its parent holds it. When nobody has the pool any
    more, its connections are closed: a client that is made in a task and forgotten costs none.
    """

    def __init__(self) -> None:
        self._by_process: dict[int, Idle[C]] = {}
        weakref.finalize(self, _close_own, self._by_process)

    @contextmanager
    def take(self, connect: Callable[[], C]) -> Iterator[C]:
        """Lend a connection; one on which anything failed is not lent again.

        Args:
            connect: Opens one if none is idle.
        """
        process = os.getpid()
        connection = self._find() or connect()
        try:
            yield connection
        except BaseException:
            _close(process, connection)
            raise
        if process == os.getpid() and len(self._own()) < KEPT:
            self._own().append((time.monotonic(), connection))
        else:
            _close(process, connection)

    def close(self) -> None:
        """Close the idle ones of this process."""
        _close_own(self._by_process)

    def _own(self) -> Idle[C]:
        return self._by_process.setdefault(os.getpid(), deque())

    def _find(self) -> C | None:
        while True:
            try:
                since, connection = self._own().pop()
            except IndexError:
                return None
            if time.monotonic() - since < TRUSTED_SECONDS:
                return connection
            try:
                connection.execute(b"select 1")
            except (psycopg.Error, ArrowError):
                _close(os.getpid(), connection)
            else:
                return connection


_inherited: list[Any] = []
"""Connections of parents, kept from the garbage collector of a forked process, which would close them for both."""


def _close(process: int, connection: Closable) -> None:
    if process != os.getpid():
        _inherited.append(connection)
        return
    with suppress(Exception):
        connection.close()


def _close_own(by_process: dict[int, Idle[Any]]) -> None:
    for process, idle in list(by_process.items()):
        while process == os.getpid() and idle:
            with suppress(IndexError):  # another thread was faster
                _close(process, idle.pop()[1])
        if process != os.getpid():
            _inherited.append(idle)
