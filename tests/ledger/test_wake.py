"""Who is woken, how, and by whom."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from ledger_driver import LEASE, LedgerDriver, ids
from reference import Spec

from tilebox_celery.postgres.connection import connect
from tilebox_celery.testing import DatabaseClock

STATES = "select state from tbx.slots order by id"


def idle_slots(ledger: LedgerDriver, count: int, name: str = "Tile", wake_by: str = "broker") -> list[int]:
    """Register a runner with slots that sleep."""
    runner = ledger.runner(takes={(name, 1): 0}, wake_by=wake_by)
    return [ledger.slot(runner, busy=False) for _ in range(count)]


def woken(ledger: LedgerDriver) -> list[int]:
    """The slots that the last call wants to be woken by messages."""
    return sorted(wake_up.slot_id for wake_up in ledger.answer.wake_ups)


def test_a_submission_wakes_one_slot_for_each_task(ledger: LedgerDriver) -> None:
    """Two tasks wake two of four slots, and the next task a third one."""
    slots = idle_slots(ledger, 4)

    ledger.submit([Spec(), Spec()])
    first = woken(ledger)
    ledger.submit([Spec()])

    assert len(first) == 2
    assert len(woken(ledger)) == 1
    assert set(first) | set(woken(ledger)) < set(slots)


def test_a_wake_up_of_a_slot_that_dies_goes_to_another(ledger: LedgerDriver) -> None:
    """The process of a woken slot is killed before it claims: another slot is woken for its task, for one only."""
    slots = idle_slots(ledger, 3)
    ledger.submit([Spec()])
    (dead,) = woken(ledger)

    ledger.lose(dead)
    (heir,) = woken(ledger)
    ledger.lose(next(slot for slot in slots if slot not in (dead, heir)))

    assert heir in slots
    assert heir != dead
    assert woken(ledger) == []


def test_a_slot_woken_ahead_is_enough(ledger: LedgerDriver) -> None:
    """The first of two tasks needs no other wake-up than the one that left before it was stored."""
    first, second = idle_slots(ledger, 2)

    ahead = ledger.wake_ahead()
    told = woken(ledger)
    ledger.submit([Spec()], ahead=ahead)
    one_task = woken(ledger)
    ledger.submit([Spec(), Spec()], ahead=ledger.wake_ahead())

    assert (told, one_task) == ([ahead], [])
    assert ahead in (first, second)
    assert ledger.wake_ahead() is None
    assert ledger.rows(STATES) == [("woken",), ("woken",)]


def test_a_slot_woken_ahead_leaves_the_rest_to_others(ledger: LedgerDriver) -> None:
    """Of three tasks two wake further slots."""
    slots = idle_slots(ledger, 4)

    ahead = ledger.wake_ahead()
    ledger.submit([Spec(), Spec(), Spec()], ahead=ahead)

    assert len(woken(ledger)) == 2
    assert ahead not in woken(ledger)
    assert ledger.rows("select count(*) from tbx.slots where state = 'woken'") == [(len(slots) - 1,)]


def test_a_slot_that_came_too_early_is_woken_again(ledger: LedgerDriver) -> None:
    """A slot that found nothing before the task was stored has gone back to sleep, and gets another wake-up."""
    (slot,) = idle_slots(ledger, 1)

    ahead = ledger.wake_ahead()
    _, nothing = ledger.claim(slot, token=ahead)
    ledger.submit([Spec()], ahead=ahead)

    assert (ahead, nothing) == (slot, [])
    assert woken(ledger) == [slot]


def test_a_slot_that_found_other_work_is_not_counted_on(ledger: LedgerDriver) -> None:
    """A slot that was woken ahead and took another task leaves the new one to a slot that sleeps."""
    ledger.submit([Spec()])
    slots = idle_slots(ledger, 2)

    ahead = ledger.wake_ahead()
    assert ahead is not None
    _, other_work = ledger.claim(ahead, token=ahead)
    ledger.submit([Spec()], ahead=ahead)

    assert len(other_work) == 1
    assert woken(ledger) == [slot for slot in slots if slot != ahead]


@pytest.mark.parametrize("is_named", [True, False], ids=["named", "another"])
def test_a_slot_woken_ahead_waits_for_the_task(ledger: LedgerDriver, ledger_url: str, is_named: bool) -> None:
    """A claim that comes while the submission is under way begins when that has ended, and finds the task."""
    slots = idle_slots(ledger, 2)
    ahead = ledger.wake_ahead()
    (slot,) = [slot for slot in slots if (slot == ahead) is is_named]
    with connect(ledger_url) as connection, ThreadPoolExecutor() as pool:
        early = LedgerDriver(connection)
        with ledger.connection.transaction():
            ledger.submit([Spec()], ahead=ahead)
            claiming = pool.submit(early.claim, slot, 1, token=ahead)
            with pytest.raises(TimeoutError):
                claiming.result(0.3)

        assert len(claiming.result(10)[1]) == 1


def test_only_slots_that_can_help_are_woken(ledger: LedgerDriver) -> None:
    """Slots of other identifiers, of draining runners, whose lease is over, or that nobody may wake sleep on."""
    idle_slots(ledger, 1, "Mosaic")
    idle_slots(ledger, 1, wake_by="none")
    draining = idle_slots(ledger, 1)
    ledger.rows("select tbx.drain_runner(runner_id, false) from tbx.slots where id = %s", draining[0])
    dead = idle_slots(ledger, 1)
    ledger.connection.execute("update tbx.leases set until = tbx.now() where slot_id = %s", (dead[0],))

    ledger.submit([Spec()] * 5)
    nobody = woken(ledger)
    (able,) = idle_slots(ledger, 1)
    ledger.submit([Spec()])

    assert nobody == []
    assert woken(ledger) == [able]


def test_each_kind_of_task_wakes_its_own_slots(ledger: LedgerDriver) -> None:
    """Many tasks of one kind do not use up the wake-ups of another kind."""
    tiles, mosaics = idle_slots(ledger, 3), idle_slots(ledger, 3, "Mosaic")

    ledger.submit([Spec(), Spec(), Spec(name="Mosaic")])

    assert len(set(woken(ledger)) & set(tiles)) == 2
    assert len(set(woken(ledger)) & set(mosaics)) == 1


def test_old_tasks_in_hand_do_not_count_for_new_ones_of_another_kind(ledger: LedgerDriver) -> None:
    """A slot that makes tasks ready for others and claims older ones of its own kind wakes the others."""
    (other,) = idle_slots(ledger, 1, "Mosaic")
    slot = ledger.slot(ledger.runner(wake_by="broker"))
    ledger.submit([Spec(), Spec(name="Mosaic", depends_on=(0,))])
    ledger.submit([Spec()] * 5)
    claim, tasks = ledger.claim(slot, 1)

    answer = ledger.advance(slot, claim, [(ids(tasks)[0], [])], ledger.wish(64))

    assert len(answer.tasks) == 5
    assert woken(ledger) == [other]


def test_a_chain_wakes_nobody(ledger: LedgerDriver) -> None:
    """The successor that a slot claims in the same call needs no wake-up."""
    idle_slots(ledger, 1)
    slot = ledger.slot(ledger.runner(wake_by="broker"))
    ledger.submit([Spec(), Spec(depends_on=(0,))])
    ledger.connection.execute("update tbx.slots set state = 'idle' where state = 'woken'")
    claim, tasks = ledger.claim(slot)

    answer = ledger.advance(slot, claim, [(ids(tasks)[0], [])], ledger.wish(1))

    assert len(answer.tasks) == 1
    assert answer.wake_ups == []


@pytest.mark.parametrize("how", ["fail", "give back", "lose", "retry", "leave a limit"])
def test_everything_that_makes_tasks_ready_wakes(ledger: LedgerDriver, how: str) -> None:
    """A retry, a give-back, a crash, a retry of the job, and a place under a limit that becomes free."""
    runner = ledger.runner()
    slot = ledger.slot(runner)
    job = ledger.submit([Spec(max_retries=1, limit=("disk", 1)), Spec(limit=("disk", 1))])
    claim, tasks = ledger.claim(slot)
    task = ids(tasks)[0]
    (sleeper,) = idle_slots(ledger, 1)

    match how:
        case "fail":
            ledger.fail(slot, claim, [(task, 0.0, False)])
        case "give back":
            ledger.give_back(slot, claim, [task])
        case "lose":
            ledger.lose(slot)
        case "retry":
            ledger.fail(slot, claim, [(task, 0.0, True)])
            ledger.connection.execute("update tbx.slots set state = 'idle' where id = %s", (sleeper,))
            ledger.retry(job)
        case _:
            ledger.advance(slot, claim, [(task, [])])

    assert woken(ledger) == [sleeper]


def test_a_listening_runner_is_notified(ledger: LedgerDriver) -> None:
    """A runner that listens gets the slot's number on its own channel, and no message."""
    (slot,) = idle_slots(ledger, 1, wake_by="notify")
    runner = ledger.value("select runner_id from tbx.slots")
    ledger.connection.execute(f"listen tbx_{runner}".encode())

    ledger.submit([Spec()])

    assert woken(ledger) == []
    (notification,) = ledger.connection.notifies(timeout=10, stop_after=1)
    assert (notification.channel, notification.payload) == (f"tbx_{runner}", str(slot))


def test_a_listener_that_seems_deaf_gets_messages_for_a_while(ledger: LedgerDriver, ledger_url: str) -> None:
    """A wake-up that nobody took for two seconds is sent again as a message, and so are those of the next minute."""
    time = DatabaseClock(ledger_url, stopped=True)
    (slot,) = idle_slots(ledger, 1, wake_by="notify")
    ledger.connection.execute("update tbx.leases set until = 'infinity'")
    ledger.submit([Spec()])

    time.advance(timedelta(seconds=1.9))
    ledger.sweep()
    early = woken(ledger)
    time.advance(timedelta(seconds=0.2))
    ledger.sweep()
    late = woken(ledger)
    ledger.connection.execute("update tbx.slots set state = 'idle'")
    time.advance(timedelta(seconds=61))
    ledger.submit([Spec()])

    assert early == []
    assert late == [slot]
    assert woken(ledger) == []


def test_the_sweep_wakes_for_tasks_beside_idle_slots(ledger: LedgerDriver) -> None:
    """What nobody published, since its publisher died, is found by the sweep."""
    ledger.submit([Spec(), Spec()])
    slots = idle_slots(ledger, 3)

    ledger.sweep()

    assert len(woken(ledger)) == 2
    assert set(woken(ledger)) < set(slots)


def test_only_one_sweeps_at_a_time(ledger: LedgerDriver, ledger_url: str) -> None:
    """A sweep beside another one does nothing."""
    from tilebox_celery.postgres.connection import connect

    ledger.submit([Spec()])
    idle_slots(ledger, 1)

    with connect(ledger_url) as other, other.transaction():
        other.execute("select pg_advisory_xact_lock(7413, 0)")
        ledger.sweep()

    assert woken(ledger) == []


def test_a_slot_that_leaves_its_loop_is_woken_again(ledger: LedgerDriver) -> None:
    """A slot that stops by choice gets a wake-up at once: only a claim may put it to sleep."""
    slot = ledger.slot(ledger.runner(wake_by="broker"))

    rows = ledger.rows("select kind, job_id from tbx.yield_slot(%s)", slot)

    assert rows == [("w", slot)]
    assert ledger.rows(STATES) == [("woken",)]


def test_a_heartbeat_wakes_nobody_and_keeps_states(ledger: LedgerDriver) -> None:
    """Leases are renewed for idle, woken and busy slots alike, and their states stay."""
    slots = idle_slots(ledger, 3)
    runner = ledger.value("select distinct runner_id from tbx.slots")
    for slot, state in zip(slots, ("idle", "woken", "busy"), strict=True):
        ledger.connection.execute("update tbx.slots set state = %s where id = %s", (state, slot))
    ledger.connection.execute("update tbx.leases set until = tbx.now()")

    state, gone = ledger.rows("select state, gone from tbx.heartbeat(%s, %s, %s)", runner, slots, LEASE)[0]

    assert (state, gone) == ("live", [])
    assert ledger.rows(STATES) == [("idle",), ("woken",), ("busy",)]
    assert ledger.value("select min(until) > tbx.now() + interval '20 s' from tbx.leases")


def test_a_heartbeat_of_an_unknown_runner(ledger: LedgerDriver) -> None:
    """A runner that the ledger does not know is told so."""
    assert ledger.rows("select state, gone from tbx.heartbeat(12345, '{1,2}', '30 s')") == [(None, [])]
