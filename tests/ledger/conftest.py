"""Fixtures of the ledger's tests."""

from collections.abc import Iterator

import pytest
from ledger_driver import LedgerDriver
from ledger_pauses import install_pauses
from ledger_races import Stage, stage

from tilebox_celery.postgres.connection import Connection


@pytest.fixture(params=[pytest.param(7, id="some stops"), pytest.param(1, id="all stops", marks=pytest.mark.long)])
def races(ledger_url: str, connection: Connection, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A ledger whose functions can be stopped, and two sessions."""
    connection.execute("set synchronous_commit = off")
    install_pauses(connection)
    with stage(ledger_url, connection, request.param) as found:
        yield found


@pytest.fixture
def ledger(connection: Connection) -> LedgerDriver:
    """An empty ledger with the clusters a and b, driven by hand."""
    connection.execute("set synchronous_commit = off")
    ledger = LedgerDriver(connection)
    ledger.create_cluster("a")
    ledger.create_cluster("b")
    return ledger
