"""Give each test an empty ledger: one server per run, one template database with the schema, clones used in turn."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tilebox_celery.embedded import Stack, start
from tilebox_celery.postgres.connection import connect
from tilebox_celery.postgres.migrate import Schema
from tilebox_celery.testing.reuse import empty, prepare

IDLE_STOP = timedelta(seconds=30)


class LedgerFactory:
    """Makes ledgers in the embedded servers of one directory; safe to share among the processes of a test run.

    Args:
        home: Data directory of the servers.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._template: str | None = None
        self._fingerprint = ""
        self._emptied: list[str] = []
        """Clones that a test of this process has used, as good as new."""

    @property
    def stack(self) -> Stack:
        """The servers, started on first use, and again if a test has stopped them."""
        return start(self.home, IDLE_STOP)

    @contextmanager
    def ledger(self) -> Iterator[str]:
        """Give the URL of an empty ledger with the schema of this code."""
        stack = self.stack
        name = self._emptied.pop() if self._emptied else self._clone(stack)
        try:
            yield url_of(stack, name)
        finally:
            stack = self.stack
            if empty(url_of(stack, name), self._fingerprint):
                self._emptied.append(name)
            else:
                with psycopg.connect(stack.ledger_url, autocommit=True) as connection:
                    connection.execute(f"drop database {name} with (force)".encode())

    def _clone(self, stack: Stack) -> str:
        template = self._template = self._template or self._make_template(stack)
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(stack.ledger_url, autocommit=True) as connection:
            connection.execute(f"create database {name} template {template} strategy wal_log".encode())
        self._fingerprint = prepare(url_of(stack, name))
        return name

    def _make_template(self, stack: Stack) -> str:
        schema = Schema("tilebox_celery.ledger", "ledger")
        name = f"template_{schema.history(schema.version)}_{schema.digest}"
        with psycopg.connect(stack.ledger_url, autocommit=True) as connection:
            connection.execute("select pg_advisory_lock(7499)")  # another process of this run may be making it
            if connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone() is None:
                connection.execute(f"drop database if exists {name}_new".encode())
                connection.execute(f"create database {name}_new".encode())
                with connect(url_of(stack, f"{name}_new")) as inside:
                    schema.upgrade(inside)
                connection.execute(f"alter database {name}_new rename to {name}".encode())
        return name


def url_of(stack: Stack, database: str) -> str:
    """Return the URL of another database of the same server."""
    return urlsplit(stack.ledger_url)._replace(path=f"/{database}").geturl()
