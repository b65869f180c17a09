"""Call a prepared statement over libpq directly: half the client's CPU of a cursor, for the calls of a slot.

Parameters go as text, or in Postgres' binary form where they are a bytearray; answers come back as binary rows,
decoded by psycopg's own loaders.
"""

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
        formats = None
        if any(isinstance(value, bytearray) for value in parameters):
            formats = [pq.Format(isinstance(value, bytearray)) for value in parameters]
        # psycopg's stub leaves out that a parameter may be NULL
        values: Any = [
            value if value is None or isinstance(value, bytearray) else str(value).encode() for value in parameters
        ]
        if between is None:
            result: Any = pgconn.exec_prepared(self._name, values, formats, pq.Format.BINARY)
        else:
            pgconn.send_query_prepared(self._name, values, formats, pq.Format.BINARY)
            while pgconn.flush():
                pass
            between()
            result = pgconn.get_result()
            while pgconn.get_result() is not None:
                pass
        if result is not None and result.error_field(pq.DiagnosticField.SQLSTATE) == _FORGOTTEN:
            known.clear()
            self._prepare(connection, known)
            result = pgconn.exec_prepared(self._name, values, formats, pq.Format.BINARY)
        _check(result, connection)
        transformer = Transformer(connection)
        transformer.set_pgresult(result)
        rows: list[tuple[Any, ...]] = transformer.load_rows(0, result.ntuples, tuple)
        return rows

    def _prepare(self, connection: Connection, known: set[bytes]) -> None:
        if self._name not in known:
            _check(connection.pgconn.prepare(self._name, self._sql), connection)
            known.add(self._name)


def _check(result: Any, connection: Connection) -> None:
    if result is not None and result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        return
    if result is None or connection.pgconn.status != pq.ConnStatus.OK:
        raise psycopg.OperationalError("the connection to the ledger is lost")
    raise psycopg.errors.error_from_result(result, "utf-8")
