"""Short names for the fixtures of `tilebox_celery.testing.plugin`, which our own tests use as users do.

`stack` (the servers, whole run), `ledger_url` (an empty ledger of this test alone; ``TILEBOX_CELERY_LEDGER_URL`` and
``TILEBOX_CELERY_HOME`` point there), `connection` (psycopg, as ledger calls use it), `client`, `cluster`, `clock`,
`crash`.
"""

import signal
from collections.abc import Iterator

import pytest

from tilebox_celery.client.client import Client
from tilebox_celery.embedded import Stack
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.postgres.connection import Connection, connect
from tilebox_celery.testing import Crash, DatabaseClock, LedgerFactory


def pytest_configure() -> None:
    """Heed signals that a shell's ``&`` or nohup had us ignore: processes of the tests would ignore them, too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def stack(tilebox_ledgers: LedgerFactory) -> Stack:
    """The servers of this run."""
    return tilebox_ledgers.stack


@pytest.fixture
def ledger_url(tilebox_ledger_url: str) -> str:
    """The URL of an empty ledger with the schema of this code."""
    return tilebox_ledger_url


@pytest.fixture
def connection(ledger_url: str) -> Iterator[Connection]:
    """A connection to the ledger of this test, in autocommit mode."""
    with connect(ledger_url) as connection:
        yield connection


@pytest.fixture
def client(tilebox_client: Client) -> Client:
    """A client of the ledger of this test."""
    return tilebox_client


@pytest.fixture
def cluster(tilebox_cluster: Cluster) -> Cluster:
    """The first cluster of the ledger of this test, which makes it the default."""
    return tilebox_cluster


@pytest.fixture
def clock(tilebox_clock: DatabaseClock) -> DatabaseClock:
    """The clock of the ledger of this test."""
    return tilebox_clock


@pytest.fixture
def crash(tilebox_crash: Crash) -> Crash:
    """Kills chosen attempts in worker processes."""
    return tilebox_crash
