"""Pool connections for reads, and turn what SQLAlchemy raises into one clear sentence."""

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from tilebox_celery.ledger.session import translate
from tilebox_celery.postgres.connection import Connection


class Reading:
    """Connections for selects; none is open before the first one. Safe for threads and forks.

    Args:
        url: For the texts of errors.
        connect: Opens a connection.
    """

    def __init__(self, url: str, connect: Callable[[], Connection]) -> None:
        self.url = url
        self._engine: Engine = sqlalchemy.create_engine(
            "postgresql+psycopg://",
            creator=connect,
            isolation_level="AUTOCOMMIT",
            pool_size=2,
            max_overflow=8,
            pool_pre_ping=True,
            pool_use_lifo=True,
            hide_parameters=True,
            use_native_hstore=False,  # else the first connection asks for the type
        )
        self._lock = threading.Lock()
        _readings.add(self)

    @contextmanager
    def connection(self, *, snapshot: bool = False) -> Iterator[sqlalchemy.Connection]:
        """Lend a connection.

        Args:
            snapshot: All selects see one state of the ledger; otherwise each sees its own.

        Raises:
            AuthenticationError: The server refuses the login.
            LedgerUnavailable: The server cannot be reached.
            InternalServerError: The ledger refused a select.
        """
        try:
            with self._engine.connect() as connection:
                if snapshot:
                    connection = connection.execution_options(isolation_level="REPEATABLE READ")  # noqa: PLW2901
                yield connection
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.Error):
                raise translate(error.orig, self.url) from error
            raise

    def close(self) -> None:
        """Close the idle connections; the next read opens new ones."""
        self._engine.dispose()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be ending
            self.close()

    def _leave_to_parent(self) -> None:
        self._engine.dispose(close=False)  # the sockets are the parent's


_readings: "weakref.WeakSet[Reading]" = weakref.WeakSet()


def _after_fork() -> None:
    for reading in list(_readings):
        reading._leave_to_parent()


os.register_at_fork(after_in_child=_after_fork)
