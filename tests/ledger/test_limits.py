"""How many tasks of a job run at once under one key."""

from ledger_checker import check_ledger
from ledger_driver import LedgerDriver, ids
from reference import Spec

DISK = Spec(limit=("disk", 2))


def test_a_batch_claim_honours_the_limit(ledger: LedgerDriver) -> None:
    """However many tasks a slot asks for, no more than the limit's number are under way."""
    ledger.submit([DISK] * 5)
    slots = [ledger.slot(ledger.runner()) for _ in range(2)]

    taken = [len(ledger.claim(slot, 64)[1]) for slot in slots]

    assert taken == [2, 0]


def test_places_go_to_the_oldest(ledger: LedgerDriver) -> None:
    """When places become free, the tasks that came first get them."""
    job = ledger.submit([DISK] * 5)
    slot = ledger.slot(ledger.runner())
    order = []

    for _ in range(3):
        claim, tasks = ledger.claim(slot)
        order.append(ids(tasks))
        ledger.advance(slot, claim, [(task, []) for task in ids(tasks)])

    tasks = ledger.children(job, None)
    assert order == [tasks[:2], tasks[2:4], tasks[4:]]
    assert ledger.value("select finished_at is not null from tbx.jobs")


def test_limits_are_told_apart(ledger: LedgerDriver) -> None:
    """Each key of each job has its own places, and tasks without a key need none."""
    ledger.submit([DISK, DISK, DISK, Spec(limit=("net", 1)), Spec(limit=("net", 1)), Spec()])
    ledger.submit([DISK, DISK, DISK])
    slot = ledger.slot(ledger.runner())

    _, tasks = ledger.claim(slot)

    assert len(tasks) == (2 + 1 + 1) + 2


def test_the_first_number_of_a_key_decides(ledger: LedgerDriver) -> None:
    """A key that comes again with another number keeps the first one."""
    ledger.submit([Spec(limit=("disk", 1)), Spec(limit=("disk", 9))])

    assert len(ledger.claim(ledger.slot(ledger.runner()))[1]) == 1


def test_a_blocked_task_needs_no_place(ledger: LedgerDriver) -> None:
    """A task that waits for others takes its place when it could run, behind the older ones."""
    ledger.submit([Spec(), Spec(limit=("disk", 1), depends_on=(0,)), Spec(limit=("disk", 1))])
    slot = ledger.slot(ledger.runner())

    claim, tasks = ledger.claim(slot)
    ledger.advance(slot, claim, [(ids(tasks)[0], [])])
    held = ledger.rows("select phase from tbx.tasks order by id")
    ledger.advance(slot, claim, [(ids(tasks)[1], [])])

    assert held == [("-",), ("h",), ("-",)]
    assert ledger.rows("select phase from tbx.tasks order by id") == [("-",), ("r",), ("-",)]


def test_a_retried_task_keeps_its_place(ledger: LedgerDriver) -> None:
    """A failed attempt, a crash and a give-back do not hand the place on, the end of the task does."""
    job = ledger.submit([Spec(limit=("disk", 1), max_retries=1), Spec(limit=("disk", 1))])
    first, second = ledger.children(job, None)
    slot = ledger.slot(ledger.runner())

    claim, _ = ledger.claim(slot)
    ledger.fail(slot, claim, [(first, 0.0, False)])
    claim, _ = ledger.claim(slot)
    ledger.give_back(slot, claim, [first])
    lost = ledger.slot(ledger.runner())
    ledger.claim(lost)
    ledger.lose(lost)
    claim, tasks = ledger.claim(slot)
    ledger.advance(slot, claim, [(first, [])])

    assert ids(tasks) == [first]
    assert ids(ledger.claim(slot)[1]) == [second]
    check_ledger(ledger.connection)


def test_a_failed_task_leaves_its_place(ledger: LedgerDriver) -> None:
    """An optional failure frees the place; so does a retry of the job, which gives all places anew."""
    job = ledger.submit([Spec(limit=("disk", 1), optional=True), Spec(limit=("disk", 1)), Spec(limit=("disk", 1))])
    slot = ledger.slot(ledger.runner())
    claim, (task,) = ledger.claim(slot)
    ledger.fail(slot, claim, [((job, task.id), 0.0, True)])
    claim, (second,) = ledger.claim(slot)
    ledger.fail(slot, claim, [((job, second.id), 0.0, True)])
    ledger.park(job)

    ledger.retry(job)

    assert ids(ledger.claim(slot)[1]) == [(job, second.id)]
    check_ledger(ledger.connection)


def test_the_sweep_fills_a_free_place(ledger: LedgerDriver) -> None:
    """A place that stayed free, since a call was undone at the wrong moment, is given by the next sweep."""
    ledger.submit([Spec(limit=("disk", 1)), Spec(limit=("disk", 1))])
    ledger.connection.execute("update tbx.tasks set phase = 'h' where phase = 'r'")
    ledger.connection.execute("update tbx.job_limits set active = 0")

    ledger.sweep()

    assert len(ledger.claim(ledger.slot(ledger.runner()))[1]) == 1
    check_ledger(ledger.connection)
