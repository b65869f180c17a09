"""What a failure inside an optional subtree ends, and what goes on."""

import pytest
from ledger_checker import check_ledger
from ledger_driver import Id, LedgerDriver, ids
from reference import Spec


@pytest.fixture
def slot(ledger: LedgerDriver) -> int:
    """A slot that takes Tiles and Mosaics."""
    return ledger.slot(ledger.runner(takes={("Tile", 1): 0, ("Mosaic", 1): 0}))


def grow(ledger: LedgerDriver, slot: int, specs: list[Spec]) -> list[Id]:
    """Run the next task, with subtasks, and return them."""
    claim, (task,) = ledger.claim(slot, 1)
    ledger.advance(slot, claim, [((task.job_id, task.id), specs)])
    return ledger.children(task.job_id, task.id)


def fail(ledger: LedgerDriver, slot: int) -> Id:
    """Fail the next task for good."""
    claim, (task,) = ledger.claim(slot, 1)
    ledger.fail(slot, claim, [((task.job_id, task.id), 0.0, True)])
    return task.job_id, task.id


def test_an_optional_task_that_fails_lets_its_dependents_run(ledger: LedgerDriver, slot: int) -> None:
    """The job goes on after the failure of an optional task, and its dependents start."""
    job = ledger.submit([Spec(optional=True), Spec(depends_on=(0,))])

    fail(ledger, slot)
    _, tasks = ledger.claim(slot)

    assert ledger.states(job) == ["FAILED_OPTIONAL", "RUNNING"]
    assert ids(tasks) == ledger.children(job, None)[1:]
    assert ledger.value("select canceled_at from tbx.jobs") is None


def test_retries_come_before_the_optional_failure(ledger: LedgerDriver, slot: int) -> None:
    """An optional task spends its retries like any other."""
    job = ledger.submit([Spec(optional=True, max_retries=1)])
    claim, (task,) = ledger.claim(slot)

    ledger.fail(slot, claim, [((job, task.id), 0.0, False)])

    assert ledger.states(job) == ["QUEUED"]


def test_a_failure_below_skips_the_rest_of_the_subtree(ledger: LedgerDriver, slot: int) -> None:
    """What waits below the optional task is skipped, at any depth and for any reason; what has run stays."""
    job = ledger.submit([Spec(optional=True), Spec(depends_on=(0,))])
    parent, failing, waiting, blocked = grow(ledger, slot, [Spec(), Spec(), Spec(), Spec(depends_on=(2,))])
    (below,) = grow(ledger, slot, [Spec()])

    failed = fail(ledger, slot)

    states = dict(ledger.rows("select id, state::text from tbx.tasks where job_id = %s", job))
    assert failed == failing
    assert [states[key[1]] for key in (parent, failing, waiting, blocked, below)] == [
        "COMPUTED",
        "FAILED_OPTIONAL",
        "SKIPPED",
        "SKIPPED",
        "SKIPPED",
    ]
    assert ledger.value("select count(*) from tbx.tasks where phase = 'r' and parent_id is null") == 1
    check_ledger(ledger.connection)


def test_a_nested_optional_task_fails_alone(ledger: LedgerDriver, slot: int) -> None:
    """A failure ends the nearest optional subtree only; the one around it goes on and completes."""
    job = ledger.submit([Spec(optional=True)])
    inner, sibling = grow(ledger, slot, [Spec(optional=True), Spec(name="Mosaic")])
    claim, tasks = ledger.claim(slot, 1)
    ledger.advance(slot, claim, [(inner, [Spec(), Spec()])])
    claim, tasks = ledger.claim(slot)
    children = [task for task in ids(tasks) if task != sibling]

    ledger.fail(slot, claim, [(children[0], 0.0, True)])
    ledger.advance(slot, claim, [(task, []) for task in ids(tasks) if task != children[0]])

    assert ledger.states(job) == ["COMPUTED", "COMPUTED", "COMPUTED", "FAILED_OPTIONAL", "COMPUTED"]
    assert ledger.value("select finished_at is not null from tbx.jobs")


def test_the_outer_failure_reaches_a_nested_subtree(ledger: LedgerDriver, slot: int) -> None:
    """A failure around a nested optional subtree skips what waits there, and what a running task there submits."""
    job = ledger.submit([Spec(optional=True)])
    inner, failing = grow(ledger, slot, [Spec(optional=True), Spec(name="Mosaic")])
    claim, _ = ledger.claim(slot, 1)
    ledger.advance(slot, claim, [(inner, [Spec(), Spec()])])
    claim, tasks = ledger.claim(slot, 2)
    running = next(task for task in ids(tasks) if task != failing)

    ledger.fail(slot, claim, [(failing, 0.0, True)])
    ledger.advance(slot, claim, [(running, [Spec(optional=True), Spec(depends_on=(0,)), Spec(limit=("disk", 1))])])

    assert ledger.states(job) == ["COMPUTED", "COMPUTED", "FAILED_OPTIONAL", "COMPUTED", *["SKIPPED"] * 4]
    assert ledger.value("select finished_at is not null from tbx.jobs")
    check_ledger(ledger.connection)


def test_skipped_tasks_free_their_limits(ledger: LedgerDriver, slot: int) -> None:
    """A skipped task that held a place under a limit leaves it to a task outside of the subtree."""
    limited = Spec(name="Mosaic", limit=("disk", 1))
    ledger.submit([Spec(optional=True), Spec()])
    grow(ledger, slot, [Spec(name="Tile"), limited])
    grow(ledger, slot, [limited])
    held = ledger.value("select count(*) from tbx.tasks where phase = 'h'")

    fail(ledger, slot)

    assert held == 1
    assert ledger.rows("select state::text, phase from tbx.tasks where limit_id is not null order by id") == [
        ("SKIPPED", "-"),
        ("QUEUED", "r"),
    ]
    check_ledger(ledger.connection)


def test_a_failure_outside_fails_the_job(ledger: LedgerDriver, slot: int) -> None:
    """Beside an optional subtree, a failure is what it always was."""
    job = ledger.submit([Spec(), Spec(optional=True)])

    fail(ledger, slot)

    assert ledger.states(job) == ["FAILED", "QUEUED"]
    assert ledger.value("select cancel_reason from tbx.jobs") == "failure"


def test_a_retry_leaves_optional_failures_alone(ledger: LedgerDriver, slot: int) -> None:
    """SKIPPED and FAILED_OPTIONAL are final, also when the job is retried."""
    job = ledger.submit([Spec(optional=True), Spec(depends_on=(0,))])
    grow(ledger, slot, [Spec(), Spec()])
    fail(ledger, slot)
    fail(ledger, slot)

    count = ledger.retry(job)

    assert count == 1
    assert sorted(ledger.states(job)) == ["COMPUTED", "FAILED_OPTIONAL", "QUEUED", "SKIPPED"]
