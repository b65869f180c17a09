"""A real ledger for each test: one server per run, one template database with the schema, cloned per test.

Fixtures for everybody: `stack` (the servers, whole run), `ledger_url` (an empty ledger of this test alone, about 70 ms;
``TILEBOX_CELERY_LEDGER_URL`` and ``TILEBOX_CELERY_HOME`` point there, so that ``Client()`` finds it), `connection`
(psycopg, as ledger calls use it), `client` (a `Client` of it) and `cluster` (the first cluster, and so the default).
"""

import os
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from tilebox_celery.embedded import Stack, down, start
from tilebox_celery.postgres.connection import Connection, connect
from tilebox_celery.postgres.migrate import Schema

if TYPE_CHECKING:
    from tilebox_celery.client.client import Client
    from tilebox_celery.model.cluster import Cluster

IDLE_STOP = timedelta(seconds=30)


@pytest.fixture(scope="session")
def _stack_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    base = tmp_path_factory.getbasetemp()
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    home = (base if alone else base.parent) / "stack"  # the processes of one run share the servers
    yield home
    if alone:
        down(home)


@pytest.fixture(scope="session")
def stack(_stack_home: Path) -> Stack:
    """The servers of this run."""
    return start(_stack_home, IDLE_STOP)


@pytest.fixture(scope="session")
def _ledger_template(stack: Stack) -> str:
    schema = Schema("tilebox_celery.ledger", "ledger")
    name = f"template_{schema.version}_{schema.digest}"
    with psycopg.connect(stack.ledger_url, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(7499)")  # another process of this run may be making it
        if connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone() is None:
            connection.execute(f"create database {name}_new")
            with connect(_url_of(stack, f"{name}_new")) as inside:
                schema.upgrade(inside)
            connection.execute(f"alter database {name}_new rename to {name}")
    return name


@pytest.fixture
def ledger_url(stack: Stack, _ledger_template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty ledger with the schema of this code."""
    start(stack.home, IDLE_STOP)  # a test of the stack itself may have left it for the whole process
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(stack.ledger_url, autocommit=True) as connection:
        connection.execute(f"create database {name} template {_ledger_template} strategy wal_log")
    url = _url_of(stack, name)
    monkeypatch.setenv("TILEBOX_CELERY_LEDGER_URL", url)
    monkeypatch.setenv("TILEBOX_CELERY_HOME", str(stack.home))
    yield url
    with psycopg.connect(stack.ledger_url, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def connection(ledger_url: str) -> Iterator[Connection]:
    """A connection to the ledger of this test, in autocommit mode."""
    with connect(ledger_url) as connection:
        yield connection


@pytest.fixture
def client(ledger_url: str) -> Iterator["Client"]:
    """A client of the ledger of this test."""
    from tilebox_celery.client.client import Client

    client = Client(url=ledger_url)
    yield client
    client.close()


@pytest.fixture
def cluster(client: "Client") -> "Cluster":
    """The first cluster of the ledger of this test, which makes it the default."""
    return client.clusters().create("testing")


def _url_of(stack: Stack, database: str) -> str:
    return urlsplit(stack.ledger_url)._replace(path=f"/{database}").geturl()
