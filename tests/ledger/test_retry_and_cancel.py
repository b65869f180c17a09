"""What people do to a job: cancel, retry; and what a failure does to it."""

import uuid
from datetime import timedelta

import pytest
from ledger_checker import check_ledger
from ledger_driver import LedgerDriver, ids
from reference import Spec

from tilebox_celery.testing import DatabaseClock


@pytest.fixture
def slot(ledger: LedgerDriver) -> int:
    """A slot that takes Tiles."""
    return ledger.slot(ledger.runner())


@pytest.mark.clause("1.4-9")
@pytest.mark.clause("1.4-10")
def test_a_task_is_attempted_once_more_than_its_retries(ledger: LedgerDriver, slot: int) -> None:
    """With two retries a task is attempted three times, at once and by any runner, and has failed then."""
    job = ledger.submit([Spec(max_retries=2)])
    slots = [slot, *(ledger.slot(ledger.runner()) for _ in range(2))]

    attempts = []
    for taker in slots:
        claim, (task,) = ledger.claim(taker)
        attempts.append(task.attempt)
        ledger.fail(taker, claim, [((job, task.id), 0.0, False)])

    assert attempts == [1, 2, 3]
    assert ledger.states(job) == ["FAILED"]
    assert ledger.rows("select attempt, outcome from tbx.attempts order by attempt") == [
        (n, "failed") for n in (1, 2, 3)
    ]


def test_a_final_failure_is_not_retried(ledger: LedgerDriver, slot: int) -> None:
    """A failure that a retry cannot mend ends the task whatever is left of its retries."""
    job = ledger.submit([Spec(max_retries=5)])
    claim, (task,) = ledger.claim(slot)

    ledger.fail(slot, claim, [((job, task.id), 0.0, True)])

    assert ledger.states(job) == ["FAILED"]


def test_a_retry_may_have_to_wait(ledger: LedgerDriver, ledger_url: str, slot: int) -> None:
    """A retry that asks for a delay starts after it, and not before."""
    time = DatabaseClock(ledger_url, stopped=True)
    job = ledger.submit([Spec(max_retries=1)])
    claim, (task,) = ledger.claim(slot)
    ledger.fail(slot, claim, [((job, task.id), 5.0, False)])

    time.advance(timedelta(seconds=4.9))
    ledger.sweep()
    early = ledger.claim(slot)[1]
    time.advance(timedelta(seconds=0.2))
    ledger.sweep()

    assert early == []
    assert ids(ledger.claim(slot)[1]) == [(job, task.id)]


@pytest.mark.clause("1.4-11")
@pytest.mark.clause("1.4-12")
def test_a_failure_cancels_its_job_and_no_other(ledger: LedgerDriver, slot: int) -> None:
    """When a task has failed for good, nothing more of its job starts; other jobs go on."""
    job = ledger.submit([Spec(), Spec(), Spec(depends_on=(1,))])
    claim, (task,) = ledger.claim(slot, 1)
    other = ledger.submit([Spec()])

    ledger.fail(slot, claim, [((job, task.id), 0.0, True)])
    _, tasks = ledger.claim(slot)

    assert ids(tasks) == ledger.children(other, None)
    assert ledger.rows("select id, cancel_reason from tbx.jobs order by id") == [(job, "failure"), (other, None)]


@pytest.mark.clause("1.4-13")
def test_subtasks_of_a_failed_attempt_never_exist(ledger: LedgerDriver, slot: int) -> None:
    """Only the subtasks of the attempt that was computed are stored, once."""
    job = ledger.submit([Spec(max_retries=1)])
    first, (task,) = ledger.claim(slot)
    ledger.fail(slot, first, [((job, task.id), 0.0, False)])
    second, _ = ledger.claim(slot)

    late = ledger.advance(slot, first, [((job, task.id), [Spec()] * 3)])
    ledger.advance(slot, second, [((job, task.id), [Spec()] * 2)])
    again = ledger.advance(slot, second, [((job, task.id), [Spec()] * 5)])

    assert late.stale == again.stale == [(job, task.id)]
    assert len(ledger.children(job, task.id)) == 2


@pytest.mark.clause("1.4-16")
def test_after_cancel_nothing_starts(ledger: LedgerDriver, slot: int) -> None:
    """Running tasks end, what they submit and unblock waits, and a failing one is not retried."""
    job = ledger.submit([Spec(max_retries=3), Spec(), Spec(depends_on=(1,)), Spec()])
    claim, (failing, ending) = ledger.claim(slot, 2)

    canceled = ledger.cancel(job)
    ledger.fail(slot, claim, [((job, failing.id), 0.0, False)])
    ledger.advance(slot, claim, [((job, ending.id), [Spec(), Spec(depends_on=(0,))])])
    ledger.park(job)
    _, tasks = ledger.claim(slot)

    assert canceled
    assert tasks == []
    assert sorted(ledger.states(job)) == ["COMPUTED", "FAILED", *["QUEUED"] * 4]
    assert ledger.value("select cancel_reason from tbx.jobs") == "user"
    check_ledger(ledger.connection)


def test_cancel_of_a_job_that_is_over(ledger: LedgerDriver, slot: int) -> None:
    """A job that is complete, failed or canceled cannot be canceled again."""
    done, failed, canceled = (ledger.submit([Spec()]) for _ in range(3))
    claim, tasks = ledger.claim(slot)
    ledger.advance(slot, claim, [((done, tasks[0].id), [])])
    ledger.fail(slot, claim, [((failed, tasks[1].id), 0.0, True)])
    ledger.cancel(canceled)

    assert [ledger.cancel(job) for job in (done, failed, canceled)] == [False, False, False]


@pytest.mark.clause("1.4-17")
@pytest.mark.clause("1.4-18")
def test_a_retry_goes_on_where_the_job_failed(ledger: LedgerDriver, slot: int) -> None:
    """Failed tasks run again, computed ones do not, and what waited goes on; the number of failed ones is returned."""
    job = ledger.submit([Spec(), Spec(), Spec(), Spec(depends_on=(0, 1)), Spec()])
    claim, tasks = ledger.claim(slot, 3)
    ledger.advance(slot, claim, [(ids(tasks)[0], [])])
    ledger.fail(slot, claim, [(task, 0.0, True) for task in ids(tasks)[1:]])
    ledger.park(job)

    counts = [ledger.retry(job, dry_run=True), ledger.retry(job), ledger.retry(job)]
    claim, again = ledger.claim(slot)
    ledger.advance(slot, claim, [(task, []) for task in ids(again)])
    claim, last = ledger.claim(slot)

    children = ledger.children(job, None)
    assert counts == [2, 2, 0]
    assert ids(again) == [children[1], children[2], children[4]]
    assert ids(last) == [children[3]]
    assert ledger.value("select canceled_at from tbx.jobs") is None


def test_a_dry_run_changes_nothing(ledger: LedgerDriver, slot: int) -> None:
    """It says how many tasks would run again, and leaves the job as it is."""
    job = ledger.submit([Spec(), Spec()])
    claim, (task, _) = ledger.claim(slot)
    ledger.fail(slot, claim, [((job, task.id), 0.0, True)])
    query = "select t.*, j.* from tbx.tasks t join tbx.jobs j on j.id = t.job_id order by t.id"
    before = ledger.rows(query)

    count = ledger.retry(job, dry_run=True)

    assert count == 1
    assert ledger.rows(query) == before


@pytest.mark.clause("1.4-20")
def test_a_canceled_job_goes_on_after_a_retry(ledger: LedgerDriver, slot: int) -> None:
    """A retry of a canceled job has no failed task to count, and lets the others run, in their order."""
    job = ledger.submit([Spec(), Spec(limit=("disk", 1)), Spec(limit=("disk", 1)), Spec(depends_on=(0,))])
    ledger.cancel(job)
    ledger.park(job)

    count = ledger.retry(job)
    _, tasks = ledger.claim(slot)

    assert count == 0
    assert ids(tasks) == ledger.children(job, None)[:2]


def test_a_retry_of_a_complete_job_does_nothing(ledger: LedgerDriver, slot: int) -> None:
    """There is nothing to run again."""
    job = ledger.submit([Spec()])
    claim, tasks = ledger.claim(slot)
    ledger.advance(slot, claim, [(ids(tasks)[0], [])])

    assert ledger.retry(job) == 0
    assert ledger.states(job) == ["COMPUTED"]


def test_the_sweep_parks_what_came_late(ledger: LedgerDriver, ledger_url: str, slot: int) -> None:
    """A task that became ready while the cancel was under way is parked by the sweep, while that may happen."""
    time = DatabaseClock(ledger_url)
    job = ledger.submit([Spec(), Spec()])
    ledger.cancel(job)

    ledger.sweep()
    parked = ledger.value("select count(*) from tbx.tasks where phase = 'p'")
    ledger.connection.execute("update tbx.tasks set phase = 'r' where id = (select min(id) from tbx.tasks)")
    ledger.sweep()
    again = ledger.value("select count(*) from tbx.tasks where phase = 'p'")
    time.advance(timedelta(seconds=6))
    ledger.sweep()

    assert (parked, again) == (2, 2)
    assert not ledger.value("select parking from tbx.jobs")


def test_a_job_is_submitted_once(ledger: LedgerDriver, slot: int) -> None:
    """The same id again, since the first answer was lost, changes nothing."""
    job = uuid.uuid4()

    first = ledger.submit([Spec(), Spec()], job)
    second = ledger.submit([Spec(), Spec()], job)

    assert first == second
    assert len(ledger.states(first)) == 2
    assert ledger.rows("select action from tbx.actions") == [("submit",)]


def test_the_ledger_remembers_who_did_what(ledger: LedgerDriver, slot: int) -> None:
    """Each submit, cancel and retry is kept with the name of who did it."""
    job = ledger.submit([Spec()])
    ledger.cancel(job)

    ledger.retry(job)

    assert ledger.rows("select actor, action, detail from tbx.actions order by at") == [
        ("test", "submit", None),
        ("test", "cancel", None),
        ("test", "retry", "0"),
    ]


@pytest.mark.clause("1.4-2")
@pytest.mark.clause("1.4-3")
def test_a_dependent_waits_for_the_whole_subtree(ledger: LedgerDriver, slot: int) -> None:
    """A task starts when its dependency is computed and so is everything below it, at any depth."""
    job = ledger.submit([Spec(), Spec(depends_on=(0,))])
    parent, dependent = ledger.children(job, None)
    for _ in range(3):  # three levels below it
        claim, (task,) = ledger.claim(slot)
        ledger.advance(slot, claim, [((job, task.id), [Spec()])])
    claim, (leaf,) = ledger.claim(slot)
    early = ledger.value("select phase from tbx.tasks where id = %s", dependent[1])

    ledger.advance(slot, claim, [((job, leaf.id), [])])

    assert early == "b"
    assert ids(ledger.claim(slot)[1]) == [dependent]
    assert parent[1] < leaf.id
