"""The servers of one benchmark run: the embedded stack, in a directory of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.measure import ProcessTree
from tilebox_celery.client.client import Client
from tilebox_celery.embedded import down, start, status
from tilebox_celery.postgres.connection import Connection, connect
from tilebox_celery.postgres.migrate import Schema
from tilebox_celery.settings import Settings


@dataclass(frozen=True)
class Servers:
    """A ledger and a broker that run."""

    home: Path
    ledger_url: str
    broker_url: str
    postgres: ProcessTree
    valkey: ProcessTree

    @property
    def environment(self) -> dict[str, str]:
        """What points a process to them."""
        return {
            "TILEBOX_CELERY_HOME": str(self.home),
            "TILEBOX_CELERY_LEDGER_URL": self.ledger_url,
            "TILEBOX_CELERY_BROKER_URL": self.broker_url,
        }

    @property
    def full_environment(self) -> dict[str, str]:
        """The environment of a process that uses them."""
        return {**os.environ, **self.environment}

    def client(self) -> Client:
        """Return a client of this ledger."""
        return Client(settings=Settings.from_environment(self.full_environment))

    def connect(self) -> Connection:
        """Open a connection to this ledger."""
        return connect(self.ledger_url, name="benchmark")

    def ensure_cluster(self, slug: str) -> None:
        """Create a cluster unless it is there."""
        client = self.client()
        if slug not in [cluster.slug for cluster in client.clusters().all()]:
            client.clusters().create(slug, slug=slug)
        client.close()

    def another_ledger(self, name: str) -> "Servers":
        """Create a second, empty ledger on the same servers; its wake-ups have a database of Valkey for themselves."""
        with self.connect() as connection:
            connection.execute(f"create database {name}".encode())
        url = self.ledger_url.replace("/tilebox?", f"/{name}?")
        broker_url = self.broker_url + "?virtual_host=7"
        with connect(url) as connection:
            Schema("tilebox_celery.ledger", "ledger").upgrade(connection)
        other = Servers(self.home, url, broker_url, self.postgres, self.valkey)
        other.client().clusters().create("dev", slug="dev-cluster")
        return other


@contextmanager
def servers(home: Path, **variables: str) -> Iterator[Servers]:
    """Run the embedded servers, started with extra environment variables, and stop them at the end."""
    if variables:  # by another process, so that only the servers get them
        code = (
            "import sys; from pathlib import Path; from tilebox_celery.embedded import start; start(Path(sys.argv[1]))"
        )
        subprocess.run(
            [sys.executable, "-c", code, str(home)], env={**os.environ, **variables}, check=True, timeout=120
        )
    stack = start(home, timedelta(seconds=60))
    try:
        Client(settings=Settings(home=home)).clusters().all()  # makes the schema
        state = status(home)
        assert state.postgres_pid is not None, "PostgreSQL was started"
        assert state.valkey_pid is not None, "Valkey was started"
        yield Servers(
            home, stack.ledger_url, stack.broker_url, ProcessTree(state.postgres_pid), ProcessTree(state.valkey_pid)
        )
    finally:
        down(home)
