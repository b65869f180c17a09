"""Call a prepared statement over libpq directly: half the client's CPU of a cursor, for the calls of a slot.

Parameters go as text, or in Postgres' binary form where they are a bytearray; answers come back as binary rows,
decoded by psycopg's own loaders.
"""

import select
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer

from tilebox_celery.postgres.connection import Connection

_numbers = count(1)
_prepared: WeakKeyDictionary[Connection, set[bytes]] = WeakKeyDictionary()
_FORGOTTEN = b"26000"
"""The statement does not exist: psycopg sends DEALLOCATE ALL after each rollback."""


class PreparedCall:
    """One SQL text, prepared on each connection when it is first used there.

    Args:
        sql: With ``%s`` for each parameter, all of them cast to their types.
    """

    def __init__(self, sql: str) -> None:
        parts = sql.split("%s")
        text = "".join(f"{part}${number}" for number, part in enumerate(parts[:-1], 1)) + parts[-1]
        self._sql = text.encode()
        self._name = b"tbx_%d" % next(_numbers)

    def __call__(
        self, connection: Connection, parameters: Sequence[object], between: Callable[[], None] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run it and return the rows.

        Args:
            connection: In autocommit mode.
            parameters: One for each ``%s``.
            between: Called when the statement is sent and its answer not yet read; it must not raise.

        Raises:
            psycopg.OperationalError: The connection is lost.
            psycopg.Error: The server refused.
        """
        pgconn = connection.pgconn
        known = _prepared.setdefault(connection, set())
        self._prepare(connection, known)
        values, formats = _encoded(parameters)
        if between is None:
            result: Any = pgconn.exec_prepared(self._name, values, formats, pq.Format.BINARY)
        else:
            pgconn.send_query_prepared(self._name, values, formats, pq.Format.BINARY)
            while pgconn.flush():
                pass
            between()
            result = _next_result(pgconn)
            while _next_result(pgconn) is not None:
                pass
        if _is_forgotten(result):
            known.clear()
            self._prepare(connection, known)
            result = pgconn.exec_prepared(self._name, values, formats, pq.Format.BINARY)
        return _rows(result, connection)

    def behind(
        self,
        first: "PreparedCall",
        connection: Connection,
        first_parameters: Sequence[object],
        parameters: Sequence[object],
        between: Callable[[list[tuple[Any, ...]]], None],
    ) -> list[tuple[Any, ...]]:
        """Run it right behind another call, both sent at once, each a transaction of its own; return its rows.

        Args:
            first: The other call. That it fails is no failure of this one.
            connection: In autocommit mode.
            first_parameters: Of the other call.
            parameters: Of this one; of both together not more than the buffers of a socket.
            between: Gets the rows of the other call as soon as it has ended, none if it failed; it must not raise.

        Raises:
            psycopg.OperationalError: The connection is lost.
            psycopg.Error: The server refused this call.
        """
        pgconn = connection.pgconn
        known = _prepared.setdefault(connection, set())
        for call in (first, self):
            call._prepare(connection, known)
        try:
            pgconn.enter_pipeline_mode()
            for call, values in ((first, first_parameters), (self, parameters)):
                pgconn.send_query_prepared(call._name, *_encoded(values), pq.Format.BINARY)
                pgconn.pipeline_sync()
            while pgconn.flush():
                pass
            result = _synced(connection)
            if not _is_forgotten(result):
                between(_rows(result, connection) if result.status == pq.ExecStatus.TUPLES_OK else [])
            result = _synced(connection)
            pgconn.exit_pipeline_mode()
        except BaseException:
            connection.close()  # answers are still on their way
            raise
        if _is_forgotten(result):
            known.clear()
            between(first(connection, first_parameters))
            return self(connection, parameters)
        return _rows(result, connection)

    def _prepare(self, connection: Connection, known: set[bytes]) -> None:
        if self._name not in known:
            _check(connection.pgconn.prepare(self._name, self._sql), connection)
            known.add(self._name)


def _encoded(parameters: Sequence[object]) -> tuple[Any, list[pq.Format] | None]:
    """Return values, of which one may be NULL (psycopg's stub leaves that out), and formats."""
    formats = None
    if any(isinstance(value, bytearray) for value in parameters):
        formats = [pq.Format(isinstance(value, bytearray)) for value in parameters]
    values = [value if value is None or isinstance(value, bytearray) else str(value).encode() for value in parameters]
    return values, formats


def _next_result(pgconn: pq.abc.PGconn) -> Any:
    """Return the next result; waits outside of libpq, which would keep other threads and signals waiting, too."""
    if pgconn.is_busy():
        readable = select.poll()
        readable.register(pgconn.socket, select.POLLIN)
        while pgconn.is_busy():
            readable.poll()
            pgconn.consume_input()
    return pgconn.get_result()


def _synced(connection: Connection) -> Any:
    """Return the next result of a pipeline in which each call has its own end."""
    pgconn = connection.pgconn
    result, end, sync = _next_result(pgconn), _next_result(pgconn), _next_result(pgconn)
    if result is None or end is not None or sync is None or sync.status != pq.ExecStatus.PIPELINE_SYNC:
        raise psycopg.OperationalError("the connection to the ledger is lost")
    return result


def _is_forgotten(result: Any) -> bool:
    return result is not None and result.error_field(pq.DiagnosticField.SQLSTATE) == _FORGOTTEN


def _rows(result: Any, connection: Connection) -> list[tuple[Any, ...]]:
    _check(result, connection)
    transformer = Transformer(connection)
    transformer.set_pgresult(result)
    return transformer.load_rows(0, result.ntuples, tuple)


def _check(result: Any, connection: Connection) -> None:
    if result is not None and result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        return
    if result is None or connection.pgconn.status != pq.ConnStatus.OK:
        raise psycopg.OperationalError("the connection to the ledger is lost")
    raise psycopg.errors.error_from_result(result, "utf-8")
