"""Every one of a list of wrong ledgers is found: by the random lives, or by a test that leads there."""

import psycopg
import pytest
import test_optional
from hypothesis import Phase, settings
from hypothesis.errors import HypothesisException
from hypothesis.stateful import run_state_machine_as_test
from ledger_driver import LedgerDriver
from ledger_machine import LedgerMachine
from ledger_mutants import MUTANTS, SELDOM_MET, Mutant, install
from test_state_machine import QUICK, prepared

from tilebox_celery.postgres.connection import Connection


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_random_lives_find_a_wrong_ledger(ledger_url: str, connection: Connection, mutant: Mutant) -> None:
    """A ledger that is wrong in one place is told from the right one."""
    ledger = prepared(ledger_url, connection)
    install(connection, mutant)
    patient = settings(QUICK, max_examples=1500, stateful_step_count=50, phases=(Phase.generate,))

    with pytest.raises((AssertionError, psycopg.Error, HypothesisException, BaseExceptionGroup)):
        run_state_machine_as_test(lambda: LedgerMachine(ledger), settings=patient)


@pytest.mark.parametrize("mutant", SELDOM_MET, ids=str)
def test_a_directed_test_finds_what_lives_seldom_meet(ledger: LedgerDriver, mutant: Mutant) -> None:
    """The same for what random lives do not meet in a thousand tries."""
    slot = ledger.slot(ledger.runner(takes={("Tile", 1): 0, ("Mosaic", 1): 0}))
    install(ledger.connection, mutant)

    with pytest.raises(AssertionError):
        test_optional.test_the_outer_failure_reaches_a_nested_subtree(ledger, slot)
