"""A pytest plugin: fixtures for workflows on a real ledger, loaded only when a test asks for one.

Fixtures: ``tilebox_ledgers`` (whole run), ``tilebox_ledger_url`` (an empty ledger of this test alone, about 70 ms; the
environment points there, so that ``Client()`` and worker processes find it, and to nothing else: no vendor URL, no
broker, no settings file), ``tilebox_broker_url`` (the Valkey of this run, for a test that wants a broker; without it
Postgres wakes the workers), ``tilebox_client``, ``tilebox_cluster``, ``tilebox_clock``, ``tilebox_crash``.
"""

import os
from collections.abc import Iterator
from datetime import timedelta
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
        monkeypatch.delenv("TILEBOX_API_URL", raising=False)
        monkeypatch.delenv("TILEBOX_CELERY_BROKER_URL", raising=False)
        _leave_settings_file(monkeypatch, stack.broker_url)
        monkeypatch.setenv("TILEBOX_CELERY_LEDGER_URL", url)
        monkeypatch.setenv("TILEBOX_CELERY_HOME", str(stack.home))
        yield url


@pytest.fixture
def tilebox_broker_url(
    tilebox_ledgers: "LedgerFactory", tilebox_ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The URL of the Valkey of this run; ``TILEBOX_CELERY_BROKER_URL`` points there."""
    url = tilebox_ledgers.stack.broker_url
    monkeypatch.setenv("TILEBOX_CELERY_BROKER_URL", url)
    return url


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


def _leave_settings_file(monkeypatch: pytest.MonkeyPatch, broker_url: str) -> None:
    """Set what the file of this directory sets to the defaults: for this process, and for those that a test starts."""
    from dataclasses import asdict

    from tilebox_celery.settings import PREFIX, Settings, settings_file

    file = settings_file()
    defaults = asdict(Settings()) | {"broker_url": broker_url}  # that a file names none cannot be said by a variable
    for name in file.values if file is not None else ():
        value = defaults[name]
        if value is not None and PREFIX + name.upper() not in os.environ:
            text = value.total_seconds() if isinstance(value, timedelta) else value
            monkeypatch.setenv(PREFIX + name.upper(), str(text))
