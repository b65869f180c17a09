"""A pytest plugin: fixtures for workflows on a real ledger, loaded only when a test asks for one.

Fixtures: ``tilebox_ledgers`` (whole run), ``tilebox_ledger_url`` (an empty ledger of this test alone, about 70 ms; the
environment points there, so that ``Client()`` and worker processes find it), ``tilebox_client``, ``tilebox_cluster``,
``tilebox_clock``, ``tilebox_crash``.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tilebox_celery.client.client import Client
    from tilebox_celery.model.cluster import Cluster
    from tilebox_celery.testing.clock import DatabaseClock
    from tilebox_celery.testing.crash import Crash
    from tilebox_celery.testing.ledgers import LedgerFactory


@pytest.fixture(scope="session")
def tilebox_ledgers(tmp_path_factory: pytest.TempPathFactory) -> Iterator["LedgerFactory"]:
    """The servers of this run, which make a ledger for each test."""
    from tilebox_celery.embedded import down
    from tilebox_celery.testing.ledgers import LedgerFactory

    base = tmp_path_factory.getbasetemp()
    is_alone = "PYTEST_XDIST_WORKER" not in os.environ
    home = (base if is_alone else base.parent) / "stack"  # the processes of one run share the servers
    yield LedgerFactory(home)
    if is_alone:
        down(home)


@pytest.fixture
def tilebox_ledger_url(tilebox_ledgers: "LedgerFactory", monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty ledger with the schema of this code."""
    with tilebox_ledgers.ledger() as url:
        stack = tilebox_ledgers.stack
        monkeypatch.setenv("TILEBOX_CELERY_LEDGER_URL", url)
        monkeypatch.setenv("TILEBOX_CELERY_HOME", str(stack.home))
        yield url


@pytest.fixture
def tilebox_client(tilebox_ledger_url: str) -> Iterator["Client"]:
    """A client of the ledger of this test."""
    from tilebox_celery.client.client import Client

    client = Client(url=tilebox_ledger_url)
    yield client
    client.close()


@pytest.fixture
def tilebox_cluster(tilebox_client: "Client") -> "Cluster":
    """The first cluster of the ledger of this test, which makes it the default."""
    return tilebox_client.clusters().create("testing")


@pytest.fixture
def tilebox_clock(tilebox_ledger_url: str) -> "DatabaseClock":
    """The clock of the ledger of this test."""
    from tilebox_celery.testing.clock import DatabaseClock

    return DatabaseClock(tilebox_ledger_url)


@pytest.fixture
def tilebox_crash() -> Iterator["Crash"]:
    """Kills chosen attempts in worker processes that are started after the choice."""
    from tilebox_celery.testing.crash import Crash

    crash = Crash()
    yield crash
    crash.clear()
