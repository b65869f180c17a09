"""Keep one connection for calls, and repeat a call that a lost connection or a deadlock interrupted."""

import contextlib
import getpass
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tilebox_celery.errors import AuthenticationError, InternalServerError, LedgerUnavailable, TileboxCeleryError
from tilebox_celery.postgres.connection import Connection, sentences
from tilebox_celery.settings import redact_url

Result = TypeVar("Result")

PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds before each repetition: a Postgres that restarts is back within their sum."""
_REPEATABLE = ("40001", "40P01", "TBX01")
_LOST = ("08", "57P")
_FORBIDDEN = "42501"
_RIGHTS = ("SELECT, INSERT, UPDATE, DELETE ON ALL TABLES", "USAGE, SELECT ON ALL SEQUENCES", "EXECUTE ON ALL FUNCTIONS")


class CallSession:
    """One connection in autocommit mode, opened on first use and after each loss; safe for threads and forks.

    Args:
        url: For the texts of errors.
        connect: Opens a connection.
        forget: Called when the ledger may have become another one.
        pauses: Seconds before each repetition.
    """

    def __init__(
        self,
        url: str,
        connect: Callable[[], Connection],
        forget: Callable[[], None] = lambda: None,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self.url = url
        self._connect = connect
        self._forget = forget
        self._pauses = pauses
        self._connection: Connection | None = None
        self._lock = threading.RLock()
        _sessions.add(self)

    def run(self, call: Callable[[Connection], Result]) -> Result:
        """Run a call that may be repeated: in a ledger it changes the same rows only once.

        Raises:
            AuthenticationError: The server refuses the login.
            LedgerUnavailable: The server cannot be reached, or went away and did not come back within seconds.
            InternalServerError: The ledger refused the call.
        """
        with self._lock:
            was_connected = self._connection is not None
            for pause in (*self._pauses, None):
                try:
                    return call(self._open())
                except psycopg.Error as error:
                    if pause is None or not self._may_repeat(error):
                        raise translate(error, self.url) from error
                except LedgerUnavailable:
                    if pause is None or not was_connected:
                        raise
                was_connected = True
                time.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311  # two deadlocked callers part ways
        raise AssertionError("the loop returns or raises")

    def close(self) -> None:
        """Close the connection; the next call opens another one."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be ending
            self.close()

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        return self._connection

    def _may_repeat(self, error: psycopg.Error) -> bool:
        state = error.sqlstate or ""
        if self._connection is not None and (self._connection.broken or state.startswith(_LOST)):
            self._connection.close()
            self._connection = None
            self._forget()
            return True
        if state == "TBX01":
            self._forget()
        # Two calls in one millisecond may number their tasks alike once in a blue moon: the next number is another.
        return state in _REPEATABLE or (state == "23505" and error.diag.constraint_name == "tasks_pkey")

    def _leave_to_parent(self) -> None:
        # Closing it would end the parent's session: the socket is shared.
        _of_parents.append(self._connection)
        self._connection = None
        self._lock = threading.RLock()


def translate(error: psycopg.Error, url: str) -> TileboxCeleryError:
    """Turn what psycopg raised into one clear sentence."""
    state = error.sqlstate or ""
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) or state.startswith(("53", *_LOST)):
        try:
            with sentences(url):
                raise psycopg.OperationalError(str(error))
        except (AuthenticationError, LedgerUnavailable) as sentence:
            return sentence
    text = error.diag.message_primary or " ".join(str(error).split())
    if state == _FORBIDDEN:
        return AuthenticationError(_sentence_of_rights(text, url))
    return InternalServerError(f"The ledger refused a call: {text} (SQLSTATE {state or 'unknown'}).")


@contextlib.contextmanager
def translating(url: str) -> Iterator[None]:
    """Turn what psycopg raises inside into one clear sentence.

    Args:
        url: Of the ledger.

    Raises:
        AuthenticationError: The role lacks a right.
        LedgerUnavailable: The server went away.
        InternalServerError: The ledger refused a statement.
    """
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, url) from error


def _sentence_of_rights(text: str, url: str) -> str:
    given = conninfo_to_dict(url)
    role = str(given.get("user") or os.environ.get("PGUSER") or getpass.getuser())
    quoted = '"' + role.replace('"', '""') + '"'
    grants = "; ".join(f"GRANT {right} IN SCHEMA tbx TO {quoted}" for right in _RIGHTS)
    return (
        f"Role {quoted} may not do this in the ledger at {redact_url(url)} ({text}): its owner can run "
        f"GRANT USAGE ON SCHEMA tbx TO {quoted}; {grants}; but 'tilebox-celery db upgrade' is for the owner, "
        f"or for a role with CREATE on an empty database."
    )


_sessions: "weakref.WeakSet[CallSession]" = weakref.WeakSet()
_of_parents: list[Connection | None] = []


def _after_fork() -> None:
    for session in list(_sessions):
        session._leave_to_parent()


os.register_at_fork(after_in_child=_after_fork)
