"""Connect to Postgres, by psycopg for the catalog and by ADBC for whole columns of Arrow; errors are one sentence."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tilebox_celery.datasets.store.arrow_connection import ArrowConnection, ArrowError, ArrowOperationalError
from tilebox_celery.datasets.store.pool import Pool
from tilebox_celery.errors import (
    ArgumentError,
    AuthenticationError,
    InternalServerError,
    LedgerUnavailable,
    TileboxCeleryError,
)
from tilebox_celery.postgres.connection import Connection, connect
from tilebox_celery.settings import Settings, redact_url

PLANNER = "-c jit=off -c cursor_tuple_fraction=1"
"""Sampled plans, unlike those of the ledger: a filter may need any of them. All rows of a cursor are fetched."""
NAME = "tilebox-celery datasets"

_SAID = re.compile(r"\b(?:ERROR|FATAL): (.*?)(?: Query was: .*|[ .]+SQLSTATE: \w+)?$")


class Connections:
    """Both sorts of connections to one database; a pickle of them has the URL, and its copy opens its own.

    Args:
        url: ``postgresql://``.
        embedded: Settings of the embedded stack that it belongs to; None for any other server.
    """

    def __init__(self, url: str, embedded: Settings | None) -> None:
        self.url = url
        self._embedded = embedded
        self._catalog: Pool[Connection] = Pool()
        self._arrow: Pool[ArrowConnection] = Pool()

    @contextmanager
    def catalog(self) -> Iterator[Connection]:
        """Lend a psycopg connection in autocommit mode."""
        with self._sentences(), self._catalog.take(self._open_catalog) as connection:
            yield connection

    @contextmanager
    def arrow(self) -> Iterator[ArrowConnection]:
        """Lend an ADBC connection in autocommit mode."""
        with self._sentences(), self._arrow.take(self._open_arrow) as connection:
            yield connection

    def __reduce__(self) -> tuple[type["Connections"], tuple[str, Settings | None]]:
        """Pickle where they lead."""
        return Connections, (self.url, self._embedded)

    def close(self) -> None:
        """Close all idle connections; new ones are opened when they are needed."""
        self._catalog.close()
        self._arrow.close()

    def _open_catalog(self) -> Connection:
        if self._embedded is not None:
            from tilebox_celery.embedded import start

            start(self._embedded.home, self._embedded.idle_stop)  # somebody may have stopped it, or this is a fork
        return connect(self.url, name=NAME, planner=PLANNER)

    def _open_arrow(self) -> ArrowConnection:
        given = conninfo_to_dict(self.url)
        options = f"{given.get('options') or ''} {PLANNER}".strip()
        conninfo = make_conninfo(self.url, options=options, application_name=NAME)
        try:
            return ArrowConnection(conninfo)
        except ArrowError as error:
            self._open_catalog().close()  # the same login by psycopg says in one sentence what is the matter ...
            try:
                return ArrowConnection(conninfo)  # ... or has started the embedded servers again
            except ArrowError:
                raise LedgerUnavailable(f"Postgres at {redact_url(self.url)} cannot be reached: {error}.") from error

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.Error, ArrowError) as error:
            explained = self._explained(error)
            if isinstance(explained, LedgerUnavailable):
                self.close()  # the idle ones may be lost as well
            raise explained from error

    def _explained(self, error: psycopg.Error | ArrowError) -> TileboxCeleryError:
        state = error.sqlstate or ""
        text = _words(error)
        where = f"Postgres at {redact_url(self.url)}"
        if state in ("42501", "25006"):
            return AuthenticationError(f"{where} does not permit this: {text}. Ask its owner for the right.")
        if state.startswith("53"):
            return LedgerUnavailable(f"{where} has no room for this, and nothing was stored: {text}.")
        # ADBC compares the columns by itself before it copies, and has no state of Postgres then.
        if state in ("42703", "42P01", "42804", "23503") or "does not exist in target table" in text:
            return ArgumentError("The dataset was changed by somebody else: get it again with client.dataset().")
        if state[:2] in ("22", "54"):
            return ArgumentError(f"{where} cannot hold this, and nothing was stored: {text}.")
        is_lost = not state and isinstance(error, (psycopg.OperationalError, ArrowOperationalError))
        if is_lost or state[:2] in ("08", "57", "40"):
            return LedgerUnavailable(f"The connection to {where} was lost, try again: {text}.")
        return InternalServerError(f"{where} refused a statement of the datasets, which is an error of ours: {text}.")


def _words(error: psycopg.Error | ArrowError) -> str:
    """Return what Postgres says, without the statement and the state that the driver adds."""
    text = " ".join(str(error).split())
    said = _SAID.search(text)
    return (said[1] if said else text).rstrip(". ")
