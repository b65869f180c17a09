"""One ADBC connection: statements with parameters whose answers are Arrow, and COPY from Arrow."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

import adbc_driver_postgresql.dbapi
import pyarrow as pa
from adbc_driver_manager import AdbcStatement
from adbc_driver_manager import Error as ArrowError
from adbc_driver_manager import OperationalError as ArrowOperationalError
from adbc_driver_manager.dbapi import Cursor

__all__ = ["ArrowConnection", "ArrowError", "ArrowOperationalError"]


class _Statement(AdbcStatement):
    """A statement that knows whether Ctrl-C has canceled it: nobody else here cancels one."""

    is_interrupted = False

    def cancel(self) -> None:
        self.is_interrupted = True
        super().cancel()


class ArrowConnection:
    """Talks Arrow with Postgres; in autocommit mode until `transaction`.

    Args:
        conninfo: As libpq understands it.
    """

    def __init__(self, conninfo: str) -> None:
        self._connection = adbc_driver_postgresql.dbapi.connect(conninfo, autocommit=True)

    def execute(self, query: str | bytes, parameters: Sequence[Any] | None = None) -> None:
        """Run a statement and drop its answer."""
        with self._cursor() as cursor:
            cursor.execute(query.decode() if isinstance(query, bytes) else query, parameters or None)

    def table(self, query: str, parameters: Sequence[Any] | None = None) -> pa.Table:
        """Run a statement and return its rows.

        Args:
            query: With places $1, $2 ... for the parameters.
            parameters: Plain values.
        """
        with self._cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetch_arrow_table()

    def batches(self, query: str, parameters: Sequence[Any] | None = None) -> Generator[pa.RecordBatch]:
        """Run a statement and give its rows as they arrive."""
        with self._cursor() as cursor:
            cursor.execute(query, parameters or None)
            with cursor.fetch_record_batch() as reader:
                yield from reader

    def fetched(self, query: str, parameters: Sequence[Any], rows: int) -> Generator[pa.Table]:
        """Run a SELECT with parameters and give its rows as they are wanted, by a cursor of the server.

        The driver streams an answer only where there is no parameter; with some it holds all of it in memory first.

        Args:
            query: With places $1, $2 ... for the parameters.
            parameters: Plain values.
            rows: Of each table but the last.
        """
        with self.transaction("begin read only"):
            self.execute(f"declare wanted no scroll cursor for {query}", parameters)
            while True:
                with self._cursor() as cursor:
                    cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})  # COPY takes no FETCH
                    cursor.execute(f"fetch forward {rows:d} from wanted")
                    table = cursor.fetch_arrow_table()
                yield table
                if table.num_rows < rows:
                    return

    def copy(self, namespace: str, table: str, batches: pa.RecordBatchReader) -> None:
        """Append rows to a table by COPY; columns are found by name and must have the table's binary form."""
        with self._cursor() as cursor:
            cursor.adbc_ingest(table, batches, mode="append", db_schema_name=namespace)

    @contextmanager
    def transaction(self, begin: str = "begin") -> Iterator[None]:
        """Run the block in a transaction: committed at its end, rolled back on any error.

        Args:
            begin: The statement that begins it, with its isolation level.
        """
        self.execute(begin)
        try:
            yield
        except BaseException:
            with suppress(ArrowError):  # a lost connection has rolled back by itself
                self.execute("rollback")
            raise
        self.execute("commit")

    @contextmanager
    def _cursor(self) -> Iterator[Cursor]:
        """Give a cursor whose statements Ctrl-C ends as it ends all else: by KeyboardInterrupt.

        The driver takes the signal while it waits in the main thread. By itself it would raise an error of the
        database, or nothing at all if the statement is done before it can be canceled.
        """
        with closing(self._connection.cursor()) as cursor:
            cursor._stmt.close()
            statement = cursor._stmt = _Statement(self._connection._conn)
            try:
                yield cursor
            except ArrowError as error:
                if statement.is_interrupted:
                    raise KeyboardInterrupt from error
                raise
            if statement.is_interrupted:
                raise KeyboardInterrupt

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
