"""The random lives find every one of a list of wrong ledgers."""

import psycopg
import pytest
from hypothesis import Phase, settings
from hypothesis.errors import HypothesisException
from hypothesis.stateful import run_state_machine_as_test
from ledger_machine import LedgerMachine
from ledger_mutants import MUTANTS, Mutant, install
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
