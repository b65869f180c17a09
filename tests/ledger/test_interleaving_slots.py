"""Small races of slots, runners and sweeps."""

from functools import partial

from ledger_driver import LEASE, ids
from ledger_races import EXPIRED, Stage, advancing, is_stale, play, running
from reference import Spec

from tilebox_celery.ledger.calls import Answer


def test_two_claims_never_get_the_same_task(races: Stage) -> None:
    """Two slots that claim at once share the tasks, and one that gets none sleeps only if none is left."""

    def arrange():
        races.ledger.submit([Spec()] * 3)
        runner = races.ledger.runner(wake_by="broker")
        races.slots = [races.ledger.slot(runner), races.ledger.slot(runner)]
        return partial(claim, races.slots[0], 2), partial(claim, races.slots[1], 64)

    def claim(slot, want, ledger):
        return ids(ledger.claim(slot, want, cap=2)[1])

    def check(one, other):
        assert not set(one) & set(other)
        assert one or other

    play(races, arrange, check)


def test_two_wake_ups_that_reached_each_others_slots(races: Stage) -> None:
    """Slots that were handed each other's wake-ups claim without waiting for each other."""

    def arrange():
        races.ledger.submit([Spec()] * 3)
        runner = races.ledger.runner(wake_by="broker")
        one, other = (races.ledger.slot(runner, busy=False) for _ in range(2))
        races.ledger.connection.execute("update tbx.slots set state = 'woken', woken_at = tbx.now()")
        return (
            lambda ledger: ledger.claim(one, 1, token=other),
            lambda ledger: ledger.claim(other, 1, token=one),
        )

    def check(one, other):
        assert not {task.id for task in one[1]} & {task.id for task in other[1]}

    play(races, arrange, check)


def test_a_wake_up_that_another_slot_took_and_a_submission(races: Stage) -> None:
    """The slot that was named goes back to sleep only if no task comes meanwhile."""

    def arrange():
        races.ledger.submit([Spec()])
        runner = races.ledger.runner(wake_by="broker")
        one, other = (races.ledger.slot(runner, busy=False) for _ in range(2))
        races.ledger.connection.execute(
            "update tbx.slots set state = 'woken', woken_at = tbx.now() where id = %s", (other,)
        )
        return (lambda ledger: ledger.claim(one, 1, token=other)), (lambda ledger: ledger.submit([Spec()]))

    play(races, arrange, lambda one, other: None)


def test_a_slot_woken_ahead_that_finds_other_work(races: Stage) -> None:
    """A slot that is taking another task while the one that it was woken for is stored is not counted on."""

    def arrange():
        runner = races.ledger.runner(wake_by="broker")
        slots = [races.ledger.slot(runner, busy=False) for _ in range(2)]
        races.ledger.submit([Spec()])
        (other,) = [wake_up.slot_id for wake_up in races.ledger.answer.wake_ups]
        ahead = races.ledger.wake_ahead()
        assert {other, ahead} == set(slots)

        def come_too_early_and_submit(ledger):
            ledger.claim(other, 1, token=other)
            ledger.submit([Spec()], ahead=ahead)

        return (lambda ledger: ledger.claim(ahead, 1, token=ahead)), come_too_early_and_submit

    def check(claimed, submitted):
        ready = races.ledger.value("select count(*) from tbx.tasks where phase = 'r'")
        assert ready <= races.ledger.value("select count(*) from tbx.slots where state = 'woken'")

    play(races, arrange, check)


def test_a_slot_that_goes_to_sleep_and_a_submission(races: Stage) -> None:
    """A job that is submitted while a slot looks for the last time is claimed by it, or wakes it."""

    def arrange():
        runner = races.ledger.runner(wake_by="broker")
        slot = races.ledger.slot(runner)
        races.ledger.submit([Spec(cluster="b")])
        return (lambda ledger: ledger.claim(slot)), (lambda ledger: ledger.submit([Spec(), Spec()]))

    play(races, arrange, lambda one, other: None)


def test_a_slot_that_goes_to_sleep_and_an_advance_of_its_shard(races: Stage) -> None:
    """A claim that has the cluster alone and a publisher do not wait for each other, though they count in one row."""

    def arrange():
        runner = races.ledger.runner(wake_by="broker")
        slots = [races.ledger.slot(runner) for _ in range(9)]
        races.ledger.submit([Spec(), Spec(), Spec(depends_on=(0,)), Spec(depends_on=(0,))])
        claim, tasks = races.ledger.claim(slots[0], 1)
        races.ledger.claim(slots[1], 1)
        publish = advancing(slots[0], claim, ids(tasks))
        return publish, lambda ledger: ledger.claim(slots[8])

    play(races, arrange, lambda one, other: None)


def test_a_slot_that_leaves_its_loop_and_a_submission(races: Stage) -> None:
    """A slot that stops by choice while a job is submitted leaves nobody asleep beside it."""

    def arrange():
        slot = races.ledger.slot(races.ledger.runner(wake_by="broker"))
        races.ledger.submit([Spec(cluster="b")])

        def leave(ledger):
            ledger.rows("select * from tbx.yield_slot(%s)", slot)

        return leave, lambda ledger: ledger.submit([Spec()])

    play(races, arrange, lambda one, other: None)


def test_advance_and_the_sweep_at_the_end_of_a_lease(races: Stage) -> None:
    """A slot that reports while the sweep takes its tasks away either is in time with all of them or late with all."""

    def arrange():
        (slot, claim, tasks), *_ = running(races, [Spec(), Spec()])
        races.ledger.connection.execute("update tbx.leases set until = tbx.now() + %s", (EXPIRED,))
        return advancing(slot, claim, tasks, [Spec()], then=5), lambda ledger: ledger.sweep()

    def check(advanced: Answer, swept: Answer):
        assert len(advanced.stale) in (0, 2)
        states = races.ledger.rows("select distinct state::text from tbx.tasks where parent_id is null")
        assert (states == [("QUEUED",)]) == is_stale(advanced)
        assert not (is_stale(advanced) and advanced.tasks), "a slot that was given up claims"

    play(races, arrange, check)


def test_a_killed_process_whose_claim_is_still_under_way(races: Stage) -> None:
    """Tasks that the server gives to a slot while its death is reported are not lost with it."""

    def arrange():
        races.ledger.submit([Spec(), Spec()])
        slot = races.ledger.slot(races.ledger.runner(wake_by="broker"))
        return (lambda ledger: ledger.claim(slot)), (lambda ledger: ledger.lose(slot))

    play(races, arrange, lambda claimed, lost: None)


def test_a_runner_that_leaves_while_its_claim_is_under_way(races: Stage) -> None:
    """Tasks that are claimed while their runner signs off come back."""

    def arrange():
        races.ledger.submit([Spec(), Spec()])
        runner = races.ledger.runner()
        slot = races.ledger.slot(runner)

        def leave(ledger):
            ledger.rows("select tbx.drain_runner(%s, true)", runner)

        return (lambda ledger: ledger.claim(slot)), leave

    play(races, arrange, lambda claimed, left: None)


def test_heartbeat_and_the_sweep_at_the_end_of_a_lease(races: Stage) -> None:
    """A heartbeat that comes with the end of the lease saves the slot's tasks, or says that they are gone."""

    def arrange():
        (slot, _, _), *_ = running(races, [Spec()], wake_by="notify")
        races.ledger.connection.execute("update tbx.leases set until = tbx.now() + %s", (EXPIRED,))
        races.ledger.connection.execute("update tbx.runners set seen_at = tbx.now() - interval '2 min'")
        idle = races.ledger.slot(races.ledger.value("select runner_id from tbx.slots where id = %s", slot), busy=False)
        races.ledger.connection.execute(
            "update tbx.slots set state = 'woken', woken_at = tbx.now() - interval '1 min' where id = %s", (idle,)
        )

        def beat(ledger):
            query = "select gone from tbx.heartbeat((select runner_id from tbx.slots where id = %s), %s, %s)"
            return ledger.value(query, slot, [slot, idle], LEASE)

        return beat, lambda ledger: ledger.sweep()

    def check(gone: list[int], swept: Answer):
        state = races.ledger.value("select state::text from tbx.tasks")
        assert state == ("QUEUED" if gone else "RUNNING")
        assert races.ledger.rows("select 1 from tbx.slots where state = 'gone'") == []

    play(races, arrange, check)


def test_a_heartbeat_and_a_submission(races: Stage) -> None:
    """A slot whose lease is being renewed is woken at once, and nobody waits for it."""

    def arrange():
        runner = races.ledger.runner(wake_by="broker")
        slot = races.ledger.slot(runner, busy=False)
        races.ledger.rows("select tbx.ensure_routes('{a}', '{Tile}', '{1}', '{0}')")

        def beat(ledger):
            return ledger.value("select gone from tbx.heartbeat(%s, %s, %s)", runner, [slot], LEASE)

        return beat, lambda ledger: ledger.submit([Spec()])

    def check(gone: list[int], job: int):
        assert gone == []
        assert races.ledger.rows("select state from tbx.slots") == [("woken",)]

    play(races, arrange, check)

    assert races.waited == 0


def test_two_sweeps(races: Stage) -> None:
    """Two processes that sweep at once charge a lost task one crash."""

    def arrange():
        running(races, [Spec(), Spec()])
        races.ledger.connection.execute("update tbx.leases set until = tbx.now() + %s", (EXPIRED,))
        return (lambda ledger: ledger.sweep()), (lambda ledger: ledger.sweep())

    def check(one: Answer, other: Answer):
        assert races.ledger.rows("select distinct crashes from tbx.tasks") == [(1,)]

    play(races, arrange, check)


def test_a_new_route_and_a_runner_that_registers(races: Stage) -> None:
    """A version that is submitted first while a runner registers becomes known to that runner."""

    def arrange():
        return (lambda ledger: ledger.submit([Spec()])), (lambda ledger: ledger.runner())

    def check(job: int, runner: int):
        routes = races.ledger.value("select routes from tbx.runners where id = %s", runner)
        assert routes == [races.ledger.value("select route_id from tbx.tasks")]

    play(races, arrange, check)


def test_a_new_route_and_a_runner_that_comes_back(races: Stage) -> None:
    """A version that is submitted first while a runner comes back to life becomes known to that runner."""

    def arrange():
        runner = races.ledger.runner()
        slot = races.ledger.slot(runner)
        races.ledger.connection.execute("update tbx.runners set state = 'gone'")

        def beat(ledger):
            ledger.rows("select * from tbx.heartbeat(%s, %s, %s)", runner, [slot], LEASE)

        return (lambda ledger: ledger.submit([Spec()])), beat

    def check(job: int, beaten: None):
        assert races.ledger.value("select cardinality(routes) from tbx.runners") == 1

    play(races, arrange, check)
