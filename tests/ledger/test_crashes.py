"""What becomes of tasks whose process is gone: who is charged, how long they wait, when it is enough."""

from datetime import timedelta

import pytest
from ledger_driver import LEASE, Id, LedgerDriver, ids
from reference import Spec

from tilebox_celery.testing import DatabaseClock


@pytest.fixture
def time(ledger_url: str) -> DatabaseClock:
    """The clock of the ledger, which stands still."""
    return DatabaseClock(ledger_url, stopped=True)


def crash(ledger: LedgerDriver, task: Id | None = None) -> None:
    """Claim a task and kill the process that runs it."""
    slot = ledger.slot(ledger.runner())
    _, tasks = ledger.claim(slot)
    assert task is None or task in ids(tasks)
    ledger.lose(slot, task or ids(tasks)[0])


@pytest.mark.clause("1.4-14")
def test_a_task_is_taken_over_ten_times(ledger: LedgerDriver, time: DatabaseClock) -> None:
    """A task that kills its process is tried again after 0, 1, 2, 4 ... 30 seconds, ten times, and fails then."""
    job = ledger.submit([Spec()])
    waits = []

    for _ in range(10):
        crash(ledger)
        waits.append(ledger.value("select extract(epoch from run_after - tbx.now())::float from tbx.tasks"))
        time.advance(timedelta(seconds=waits[-1] or 0))
        ledger.sweep()
    before_the_last = ledger.states(job)
    crash(ledger)

    assert waits == [None, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert before_the_last == ["QUEUED"]
    assert ledger.states(job) == ["FAILED"]
    assert ledger.rows("select count(*), outcome from tbx.attempts group by outcome") == [(11, "lost")]
    assert ledger.value("select cancel_reason from tbx.jobs") == "failure"


def test_a_task_that_waits_after_a_crash_is_not_claimed(ledger: LedgerDriver, time: DatabaseClock) -> None:
    """Until its wait is over, no slot gets it, however often the sweep runs."""
    ledger.submit([Spec()])
    crash(ledger)
    crash(ledger)
    slot = ledger.slot(ledger.runner())

    time.advance(timedelta(seconds=0.9))
    ledger.sweep()
    early = ledger.claim(slot)[1]
    time.advance(timedelta(seconds=0.2))
    ledger.sweep()

    assert early == []
    assert len(ledger.claim(slot)[1]) == 1


def test_batch_mates_of_a_poison_task_are_not_charged(ledger: LedgerDriver) -> None:
    """When a process dies, the task that it ran is charged, and the others of its batch go back as if never claimed."""
    ledger.submit([Spec()] * 64)
    slot = ledger.slot(ledger.runner())
    _, tasks = ledger.claim(slot)

    ledger.lose(slot, ids(tasks)[17])

    query = "select crashes, count(*) from tbx.tasks where phase = 'r' group by 1 order by 1"
    assert ledger.rows(query) == [(0, 63), (1, 1)]
    assert ledger.rows("select outcome, count(*) from tbx.attempts group by 1 order by 1") == [
        ("given_back", 63),
        ("lost", 1),
    ]


def test_an_unknown_culprit_charges_the_whole_batch(ledger: LedgerDriver) -> None:
    """If nobody knows what a slot was running, every task that it held is charged one crash."""
    ledger.submit([Spec()] * 3)
    slot = ledger.slot(ledger.runner())
    ledger.claim(slot)

    ledger.lose(slot)

    assert ledger.rows("select distinct crashes, phase from tbx.tasks") == [(1, "r")]


@pytest.mark.clause("1.4-19")
def test_crashes_and_failures_are_counted_apart(ledger: LedgerDriver) -> None:
    """Crashes spend no retry, failures no crash, and a retry of the job gives both anew."""
    job = ledger.submit([Spec(max_retries=1)])
    for _ in range(3):
        crash(ledger)
        ledger.connection.execute("update tbx.tasks set run_after = '-infinity' where phase = 'd'")
        ledger.sweep()
    slot = ledger.slot(ledger.runner())
    for _ in range(2):
        claim, (task,) = ledger.claim(slot)
        ledger.fail(slot, claim, [((job, task.id), 0.0, False)])
    query = "select state::text, crashes, retries from tbx.tasks"
    spent = ledger.rows(query)

    ledger.retry(job)

    assert spent == [("FAILED", 3, 1)]
    assert ledger.rows(query) == [("QUEUED", 0, 0)]


@pytest.mark.clause("1.4-15")
def test_giving_back_costs_nothing(ledger: LedgerDriver) -> None:
    """A task that its runner gives back has lost no retry and no crash; what was never started is no attempt."""
    job = ledger.submit([Spec(), Spec()])
    slot = ledger.slot(ledger.runner())
    claim, (started, unstarted) = ledger.claim(slot)

    ledger.give_back(slot, claim, [(job, unstarted.id)])
    ledger.give_back(slot, None, None, "the runner stops")

    query = "select phase, attempt, retries, crashes from tbx.tasks order by id"
    assert ledger.rows(query) == [("r", 1, 0, 0), ("r", 0, 0, 0)]
    assert ledger.rows("select task_id, outcome, error from tbx.attempts") == [
        (started.id, "given_back", "the runner stops")
    ]
    assert ledger.value("select cancel_reason from tbx.jobs") is None


def test_the_sweep_ends_a_lease_that_nobody_renews(ledger: LedgerDriver, time: DatabaseClock) -> None:
    """A slot that is silent for a whole lease loses its tasks; one that sends heartbeats keeps them."""
    ledger.submit([Spec(), Spec()])
    runner = ledger.runner()
    silent, healthy = ledger.slot(runner), ledger.slot(runner)
    ledger.claim(silent, 1)
    ledger.claim(healthy, 1)

    time.advance(LEASE - timedelta(seconds=1))
    ledger.rows("select * from tbx.heartbeat(%s, %s, %s)", runner, [healthy], LEASE)
    ledger.sweep()
    in_time = ledger.rows("select state::text from tbx.tasks order by id")
    time.advance(timedelta(seconds=2))
    ledger.sweep()

    assert in_time == [("RUNNING",), ("RUNNING",)]
    assert ledger.rows("select state::text, crashes from tbx.tasks order by id") == [("QUEUED", 1), ("RUNNING", 0)]


def test_a_slot_that_was_given_up_lives_again(ledger: LedgerDriver, time: DatabaseClock) -> None:
    """A heartbeat after the end of the lease says which slots had been given up; they may claim again."""
    ledger.submit([Spec()])
    runner = ledger.runner()
    slot = ledger.slot(runner)
    claim, (task,) = ledger.claim(slot)
    time.advance(timedelta(minutes=2))
    ledger.sweep()
    ledger.sweep()
    was_gone = ledger.value("select state from tbx.runners")

    state, gone = ledger.rows("select state, gone from tbx.heartbeat(%s, %s, %s)", runner, [slot], LEASE)[0]

    assert (was_gone, state, gone) == ("gone", "live", [slot])
    assert ledger.advance(slot, claim, [((task.job_id, task.id), [])]).stale == [(task.job_id, task.id)]
    assert len(ledger.claim(slot)[1]) == 1


def test_a_runner_that_left_with_tasks_loses_them_with_its_lease(ledger: LedgerDriver, time: DatabaseClock) -> None:
    """A runner that signs off without giving back what it holds is no reason for a task to hang."""
    ledger.submit([Spec()])
    runner = ledger.runner()
    ledger.claim(ledger.slot(runner))
    ledger.rows("select tbx.drain_runner(%s, true)", runner)

    time.advance(LEASE + timedelta(seconds=1))
    ledger.sweep()

    assert ledger.rows("select state::text, crashes from tbx.tasks") == [("QUEUED", 1)]


def test_a_crash_below_an_optional_task_is_an_optional_failure(ledger: LedgerDriver) -> None:
    """The eleventh crash inside an optional subtree ends that subtree, and the job goes on."""
    job = ledger.submit([Spec(optional=True), Spec(depends_on=(0,))])
    slot = ledger.slot(ledger.runner())
    _, (task,) = ledger.claim(slot)
    ledger.connection.execute("update tbx.tasks set crashes = 10 where id = %s", (task.id,))

    ledger.lose(slot, (job, task.id))

    assert ledger.states(job) == ["FAILED_OPTIONAL", "QUEUED"]
    assert ledger.value("select count(*) from tbx.tasks where phase = 'r'") == 1
