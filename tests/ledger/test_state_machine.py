"""Random lives of random jobs: after every call the ledger equals the reference, and its counters equal its rows."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from ledger_driver import LedgerDriver
from ledger_machine import LedgerMachine
from ledger_mutants import install

from tilebox_celery.postgres.connection import Connection
from tilebox_celery.testing import DatabaseClock

QUICK = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
LONG = settings(QUICK, derandomize=False, max_examples=2000, stateful_step_count=60)


def prepared(ledger_url: str, connection: Connection) -> LedgerDriver:
    """Return a ledger that waits neither for the disk nor for time to pass."""
    DatabaseClock(ledger_url, stopped=True)
    connection.execute("set synchronous_commit = off")
    install(connection)
    return LedgerDriver(connection)


@pytest.mark.timeout(600)
def test_ledger_equals_the_reference(ledger_url: str, connection: Connection) -> None:
    """Whatever clients, slots, zombies, keepers and time do, tasks are as the reference says and counters are right."""
    ledger = prepared(ledger_url, connection)

    run_state_machine_as_test(lambda: LedgerMachine(ledger), settings=QUICK)


@pytest.mark.long
@pytest.mark.timeout(0)
def test_ledger_equals_the_reference_for_long(ledger_url: str, connection: Connection) -> None:
    """The same for other seeds, longer lives and 20 times as many of them."""
    ledger = prepared(ledger_url, connection)

    run_state_machine_as_test(lambda: LedgerMachine(ledger), settings=LONG)
