"""Everybody calls everything at once: nobody waits in a circle, and nothing is miscounted.

The order in which every call takes its locks: guard of a slot, the slot that is lost, running tasks by (job, id),
guards of jobs, jobs, waiting tasks, groups from the deepest level up (each with its dependents, their tasks and its
family), limits, clusters, ready tasks (never waiting), counts by job, slots.
"""

import random
import threading
import time

import psycopg
import pytest
from ledger_checker import check_ledger
from ledger_driver import LEASE, Id, LedgerDriver, ids
from ledger_mutants import Mutant, mutate
from ledger_pauses import with_pauses
from ledger_races import EVERYTHING, finish_everything
from reference import Spec

from tilebox_celery.errors import LeaseLost
from tilebox_celery.postgres.connection import Connection, connect

SOMETIMES = "if random() < 0.01 then perform pg_sleep(0.003 * random()); end if;"
GUARD = "    perform tbx.guard_jobs(array[p_job], true);\n"
JOB = "    select j.* into v_job from tbx.jobs j where j.id = p_job for update;\n"
JOB_FIRST = Mutant("retry", GUARD + JOB, JOB + GUARD, "a retry takes the job before the job's guard")


class Crowd:
    """Threads that play slots, clients, keepers and sweeps of one ledger.

    Args:
        url: Of the ledger.
        seed: Of their decisions.
    """

    def __init__(self, url: str, seed: int) -> None:
        self.url = url
        self.seed = seed
        self.calls = 0
        self.errors: list[BaseException] = []
        self._until = 0.0

    def play(self, threads: int, seconds: float) -> None:
        """Let them play, and wait for them."""
        self._until = time.monotonic() + seconds
        players = [threading.Thread(target=self._play, args=(number,)) for number in range(threads)]
        for player in players:
            player.start()
        for player in players:
            player.join()

    def _play(self, number: int) -> None:
        with connect(self.url, durable=False) as connection:
            connection.execute("set deadlock_timeout = '100ms'")
            player = Player(LedgerDriver(connection), random.Random(self.seed * 100 + number))
            while time.monotonic() < self._until and not self.errors:
                try:
                    player.play()
                    self.calls += 1
                except BaseException as error:  # told by the main thread
                    self.errors.append(error)


class Player:
    """One thread with two slots; it may do anything."""

    def __init__(self, ledger: LedgerDriver, choice: random.Random) -> None:
        self.ledger = ledger
        self.choice = choice
        self.runner = ledger.runner("a", EVERYTHING, wake_by="broker")
        self.slots = [ledger.slot(self.runner), ledger.slot(self.runner)]
        self.held: dict[int, tuple[str, list[Id]]] = {}

    def play(self) -> None:
        slot = self.choice.choice(self.slots)
        claim, tasks = self.held.get(slot, ("", []))
        jobs = [
            job
            for (job,) in self.ledger.rows("select id from tbx.jobs where finished_at is null order by id desc limit 4")
        ]
        weights = (
            (8, lambda: self.claim(slot)),
            (12 * bool(tasks), lambda: self.advance(slot, claim, tasks)),
            (4 * bool(tasks), lambda: self.fail(slot, claim, tasks)),
            (1, lambda: self.ledger.give_back(slot, None, None, self.choice.choice((None, "shutdown")))),
            (3 if len(jobs) < 4 else 0, self.submit),
            (1 if jobs else 0, lambda: self.ledger.cancel(self.choice.choice(jobs))),
            (1 if jobs else 0, lambda: self.ledger.park(self.choice.choice(jobs), 5)),
            (3 if jobs else 0, lambda: self.ledger.retry(self.choice.choice(jobs))),
            (1, self.ledger.sweep),
            (2, self.beat),
            (1, lambda: self.lose(slot, tasks)),
            (1, lambda: self.ledger.rows("select tbx.prune(tbx.now() - interval '2 s', 5)")),
        )
        self.choice.choices([call for _, call in weights], [weight for weight, _ in weights])[0]()

    def submit(self) -> None:
        ahead = self.ledger.wake_ahead() if self.choice.random() < 0.5 else None
        self.ledger.submit(self.specs(), ahead=ahead)

    def claim(self, slot: int) -> None:
        if slot not in self.held:
            token = self.choice.choice((None, self.slots[0], self.slots[1]))
            claim, tasks = self.ledger.claim(slot, self.choice.choice((1, 4, 64)), token=token)
            if tasks:
                self.held[slot] = claim, ids(tasks)

    def advance(self, slot: int, claim: str, tasks: list[Id]) -> None:
        some = self.some(slot, tasks)
        wish = self.ledger.wish(self.choice.choice((1, 8)))
        size = self.ledger.value("select count(*) from tbx.tasks where state in ('QUEUED', 'RUNNING')")
        answer = self.ledger.advance(
            slot,
            claim,
            [(task, self.specs() if size < 300 and self.choice.random() < 0.6 else []) for task in some],
            wish,
        )
        if answer.tasks:
            self.ledger.give_back(slot, claim, None)
            self.held[slot] = wish.claim_id, ids(answer.tasks)

    def fail(self, slot: int, claim: str, tasks: list[Id]) -> None:
        self.ledger.fail(slot, claim, [(task, 0.0, self.choice.random() < 0.7) for task in self.some(slot, tasks)])

    def lose(self, slot: int, tasks: list[Id]) -> None:
        self.ledger.connection.execute(
            "update tbx.tasks set crashes = 10 where slot_id = %s and state = 'RUNNING' and optional_id is not null",
            (slot,),
        )
        if self.choice.random() < 0.5:
            self.ledger.lose(slot, self.choice.choice([None, *tasks]))
        else:
            self.ledger.connection.execute(
                "update tbx.leases set until = tbx.now() - interval '1 s' where slot_id = %s", (slot,)
            )
            self.ledger.sweep()
        self.held.pop(slot, None)
        self.slots.remove(slot)
        try:
            self.slots.append(self.ledger.slot(self.runner))
        except LeaseLost:
            self.runner = self.ledger.runner("a", EVERYTHING, wake_by="broker")
            self.slots.append(self.ledger.slot(self.runner))

    def beat(self) -> None:
        self.ledger.rows("select * from tbx.heartbeat(%s, %s, %s)", self.runner, self.slots, LEASE)

    def some(self, slot: int, tasks: list[Id]) -> list[Id]:
        """Part of a claim in any order; the rest stays held."""
        chosen = self.choice.sample(tasks, self.choice.randint(1, len(tasks)))
        left = [task for task in tasks if task not in chosen]
        if left:
            self.held[slot] = self.held[slot][0], left
        else:
            del self.held[slot]
        return chosen

    def specs(self) -> list[Spec]:
        count = self.choice.choice((1, 2, 4))
        return [
            Spec(
                name=self.choice.choice(("Tile", "Mosaic")),
                depends_on=tuple(self.choice.sample(range(n), self.choice.randint(0, min(2, n)))),
                optional=self.choice.random() < 0.4,
                limit=self.choice.choice((None, None, ("disk", 2), ("net", 1))),
                max_retries=self.choice.choice((0, 1)),
            )
            for n in range(count)
        ]


@pytest.fixture
def slow_ledger(connection: Connection) -> LedgerDriver:
    """A ledger that now and then pauses between two statements of a call."""
    for source in mutate().values():
        connection.execute(with_pauses(source, SOMETIMES).encode(), prepare=False)
    ledger = LedgerDriver(connection)
    ledger.create_cluster("a")
    ledger.create_cluster("b")
    return ledger


@pytest.mark.parametrize(
    "seconds",
    [pytest.param(6, id="6 s"), pytest.param(300, id="5 min", marks=(pytest.mark.long, pytest.mark.timeout(600)))],
)
def test_random_calls_from_four_threads(ledger_url: str, slow_ledger: LedgerDriver, seconds: int) -> None:
    """Calls in any order on shared deep trees never wait in a circle, and the counters stay right."""
    crowd = Crowd(ledger_url, seed=1)

    crowd.play(threads=4, seconds=seconds)

    if crowd.errors:
        raise crowd.errors[0]
    assert crowd.calls > 100
    check_ledger(slow_ledger.connection)
    finish_everything(slow_ledger)


def test_a_circle_is_found(ledger_url: str, slow_ledger: LedgerDriver) -> None:
    """A call that takes two of the locks the other way round meets the others in a circle before long."""
    source = with_pauses(mutate(JOB_FIRST)["retry"], SOMETIMES)
    slow_ledger.connection.execute(source.encode(), prepare=False)
    crowd = Crowd(ledger_url, seed=1)

    crowd.play(threads=4, seconds=60)

    assert isinstance(crowd.errors[0], psycopg.errors.DeadlockDetected)
