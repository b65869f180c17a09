"""Calls about known tasks go to them by key: young statistics do not lead them through all that runs."""

from collections.abc import Callable

import pytest
from ledger_driver import LedgerDriver, ids
from reference import Spec

READ = "select coalesce(sum(idx_tup_read), 0)::int from pg_stat_user_indexes where indexrelname = %s"


def _entries_read(ledger: LedgerDriver, index: str, call: Callable[[], object]) -> int:
    """Return how many entries of an index a call reads."""
    before = _count(ledger, index)
    call()
    return _count(ledger, index) - before


def _count(ledger: LedgerDriver, index: str) -> int:
    ledger.rows("select pg_stat_force_next_flush()")
    ledger.rows("select pg_stat_clear_snapshot()")
    return ledger.value(READ, index)


@pytest.fixture
def aged(ledger: LedgerDriver) -> LedgerDriver:
    """A ledger whose statistics say that nothing runs."""
    slot = ledger.slot(ledger.runner())
    ledger.submit([Spec()] * 300)
    claim, tasks = ledger.claim(slot, 256)
    while tasks:
        ledger.advance(slot, claim, [(task, []) for task in ids(tasks)])
        claim, tasks = ledger.claim(slot, 256)
    ledger.rows("delete from tbx.tasks where state <> 'COMPUTED' returning 1")
    ledger.connection.execute("analyze tbx.tasks")
    return ledger


def test_a_report_reads_its_own_tasks(aged: LedgerDriver) -> None:
    """Hundreds of tasks run; finishing and failing some of them reads no entry of the index of running tasks."""
    slot = aged.slot(aged.runner())
    aged.submit([Spec()] * 200)
    claim, tasks = aged.claim(slot, 200)
    first, second = ids(tasks)[:100], ids(tasks)[100:]

    read = _entries_read(aged, "tasks_running", lambda: aged.advance(slot, claim, [(task, []) for task in first]))
    assert read == 0
    assert (
        _entries_read(aged, "tasks_running", lambda: aged.fail(slot, claim, [(task, 0, True) for task in second])) == 0
    )
    assert [len(tasks), aged.states(tasks[0].job_id).count("COMPUTED")] == [200, 100]
