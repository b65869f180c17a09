"""Who gets which tasks: turns between jobs, order within one, fair shares, batches by time, and what a slot is told."""

from ledger_driver import LedgerDriver, ids
from reference import Spec

BOTH = {("Tile", 1): 0, ("Mosaic", 1): 0}


def test_jobs_take_turns(ledger: LedgerDriver) -> None:
    """A slot goes on with the next job after the one that it worked for, and comes round again."""
    jobs = [ledger.submit([Spec()] * 4) for _ in range(3)]
    slot = ledger.slot(ledger.runner())
    cursor, turns = 0, []

    for _ in range(6):
        _, tasks = ledger.claim(slot, 1, cursor=cursor)
        cursor = tasks[0].job_id
        turns.append(cursor)

    assert turns == jobs * 2


def test_a_small_job_does_not_wait_for_a_big_one(ledger: LedgerDriver) -> None:
    """Of two claims, one is for the job that came later, whatever is left of the first."""
    big = ledger.submit([Spec()] * 200)
    slot = ledger.slot(ledger.runner())
    ledger.claim(slot, 64)
    small = ledger.submit([Spec()] * 3)

    _, tasks = ledger.claim(slot, 64, cursor=big)

    assert {task.job_id for task in tasks[:3]} == {small}


def test_tasks_of_a_job_go_in_the_order_of_their_ids(ledger: LedgerDriver) -> None:
    """First in, first out over all identifiers that the runner has registered."""
    job = ledger.submit([Spec(name=name) for name in ("Tile", "Mosaic", "Mosaic", "Tile", "Mosaic")])
    slot = ledger.slot(ledger.runner(takes=BOTH))

    taken = [ids(ledger.claim(slot, want)[1]) for want in (2, 1, 2)]

    assert [task for batch in taken for task in batch] == ledger.children(job, None)
    assert [len(tasks) for tasks in taken] == [2, 1, 2]


def test_a_slot_takes_its_fair_share(ledger: LedgerDriver) -> None:
    """With four slots at work, one claim takes a quarter of what is ready, rounded up."""
    ledger.submit([Spec()] * 10)
    slot = ledger.slot(ledger.runner())

    shares = [len(ledger.claim(slot, 64, share=4)[1]) for _ in range(4)]

    assert shares == [3, 2, 2, 1]


def test_a_batch_is_cut_to_the_time_of_its_tasks(ledger: LedgerDriver) -> None:
    """A batch holds as many tasks as fill its time; of an identifier that nobody has measured, one."""
    ledger.submit([Spec()] * 10)
    slot = ledger.slot(ledger.runner())
    wish = ledger.wish(64)._replace(cap_routes=[], caps=[])

    _, capped = ledger.claim(slot, 64, cap=3)
    unknown = ledger.advance(slot, wish.claim_id, [], wish).tasks

    assert len(capped) == 3
    assert len(unknown) == 1


def test_a_mixed_batch_adds_up_its_times(ledger: LedgerDriver) -> None:
    """Long tasks fill a batch sooner: two that take half of its time each, or one of them and some short ones."""
    ledger.submit([Spec(name=name) for name in ("Tile", "Tile", "Mosaic", "Tile", "Mosaic", "Mosaic")])
    slot = ledger.slot(ledger.runner(takes=BOTH))
    names = dict(ledger.rows("select id, name from tbx.routes"))
    wish = ledger.wish(64)
    wish = wish._replace(caps=[10 if names[route] == "Tile" else 2 for route in wish.cap_routes])

    tasks = ledger.advance(slot, wish.claim_id, [], wish).tasks

    assert [names[task.route_id] for task in tasks] == ["Tile", "Tile", "Mosaic", "Tile", "Mosaic"]


def test_a_claim_brings_what_is_needed_to_run_it(ledger: LedgerDriver) -> None:
    """A claimed task comes with its input and its attempt, and each job that is new to the slot with its name."""
    job = ledger.submit([Spec(max_retries=1)])
    slot = ledger.slot(ledger.runner())
    claim, (first,) = ledger.claim(slot)
    ledger.fail(slot, claim, [((first.job_id, first.id), 0.0, False)])

    _, (again,) = ledger.claim(slot)

    assert (first.attempt, again.attempt, again.retries, again.input) == (1, 2, 1, b"1")
    assert ledger.answer.jobs[job].name == "job"


def test_nothing_to_claim_makes_a_slot_idle(ledger: LedgerDriver) -> None:
    """A slot that gets nothing is idle, and busy again with its next batch; one that nobody wakes is never idle."""
    slot, plain = ledger.slot(ledger.runner(wake_by="broker")), ledger.slot(ledger.runner(wake_by="none"))
    query = "select state from tbx.slots where id = any (%s) order by id"

    ledger.claim(slot)
    signal = ledger.answer.signal
    ledger.claim(plain)
    idle = ledger.rows(query, [slot, plain])
    ledger.submit([Spec()])
    ledger.claim(slot)

    assert signal == "i"
    assert idle == [("idle",), ("busy",)]
    assert ledger.rows(query, [slot, plain]) == [("busy",), ("busy",)]


def test_a_slot_whose_runner_drains_gets_nothing(ledger: LedgerDriver) -> None:
    """Draining and lost slots are told so, and get no task."""
    ledger.submit([Spec()] * 3)
    runner = ledger.runner()
    slot, lost = ledger.slot(runner), ledger.slot(runner)
    ledger.lose(lost)

    ledger.claim(lost)
    of_lost = ledger.answer
    ledger.rows("select tbx.drain_runner(%s, false)", runner)
    ledger.claim(slot)
    of_draining = ledger.answer
    ledger.rows("select tbx.drain_runner(%s, true)", runner)
    ledger.claim(slot)

    assert [answer.signal for answer in (of_lost, of_draining, ledger.answer)] == ["g", "d", "g"]
    assert [answer.tasks for answer in (of_lost, of_draining, ledger.answer)] == [[], [], []]


def test_the_slot_of_a_wake_up_that_another_one_took_is_idle_again(ledger: LedgerDriver) -> None:
    """A pool may give a wake-up to any of its slots: the one that was meant can be woken again."""
    runner = ledger.runner(wake_by="broker")
    meant, taker = ledger.slot(runner, busy=False), ledger.slot(runner)
    ledger.submit([Spec()])
    (wake_up,) = ledger.answer.wake_ups

    _, tasks = ledger.claim(taker, token=wake_up.slot_id)

    assert wake_up == (meant, runner)
    assert len(tasks) == 1
    assert ledger.rows("select state from tbx.slots order by id") == [("idle",), ("busy",)]


def test_the_slot_of_a_wake_up_that_another_one_took_is_woken_anew_while_work_is_left(ledger: LedgerDriver) -> None:
    """Beside a task that nobody has claimed, the slot that was meant gets another wake-up."""
    runner = ledger.runner(wake_by="broker")
    meant, taker = ledger.slot(runner, busy=False), ledger.slot(runner)
    ledger.submit([Spec(), Spec()])

    ledger.claim(taker, 1, token=meant)

    assert ledger.answer.wake_ups == [(meant, runner)]
    assert ledger.rows("select state from tbx.slots order by id") == [("woken",), ("busy",)]


def test_the_first_claim_starts_the_job(ledger: LedgerDriver) -> None:
    """A job has started when its first task is claimed, and not again with later ones."""
    ledger.submit([Spec(), Spec()])
    slot = ledger.slot(ledger.runner())
    query = "select started_at from tbx.jobs"

    before = ledger.value(query)
    ledger.claim(slot, 1)
    started = ledger.value(query)
    ledger.claim(slot, 1)

    assert before is None
    assert started is not None
    assert ledger.value(query) == started
