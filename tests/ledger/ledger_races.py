"""Races of two calls: what is there before, the two calls, and what must hold whichever comes first."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ledger_checker import check_ledger
from ledger_driver import LedgerDriver, ids
from ledger_pauses import Session
from reference import Spec

from tilebox_celery.ledger.calls import Answer
from tilebox_celery.postgres.connection import Connection

Call = Callable[[LedgerDriver], Any]
EXPIRED = timedelta(seconds=-1)
LIMITED = Spec(limit=("disk", 1))
EVERYTHING = {(name, major): 10 for name in ("Tile", "Mosaic") for major in (1, 2)}


@dataclass
class Stage:
    """A ledger of one test, with two sessions, and what a race's arrangement left in it."""

    ledger: LedgerDriver
    sessions: tuple[Session, Session]
    slots: list[int] = field(default_factory=list)
    stride: int = 1
    stopped: int = 0
    """How often a call was stopped in its middle while the other one ran."""
    waited: int = 0
    """How often the other one had to wait for a lock."""

    def clear(self) -> None:
        self.ledger.clear()
        self.ledger.create_cluster("a")
        self.ledger.create_cluster("b")
        for session in self.sessions:
            session.ledger.routes.forget()


@contextmanager
def stage(url: str, connection: Connection, stride: int = 1) -> Iterator[Stage]:
    """Open the two sessions."""
    sessions = Session(url, connection), Session(url, connection)
    try:
        yield Stage(LedgerDriver(connection), sessions, stride)
    finally:
        for session in sessions:
            session.close()


def play(stage: Stage, arrange: Callable[[], tuple[Call, Call]], check: Callable[[Any, Any], None]) -> None:
    """Play a race in the orders that one interruption can make: each call is stopped behind each of its statements.

    Args:
        stage: Where; its stride leaves out some of the stops.
        arrange: Fills the empty ledger and returns the two calls.
        check: Gets the two answers; the counters are checked, and everything is brought to an end, anyway.
    """
    for turn in (0, 1):
        stop_at = 1
        while play_once(stage, arrange, check, turn, stop_at):
            stage.stopped += 1
            stop_at += stage.stride
    assert stage.stopped, "no call was ever stopped"


def play_once(
    stage: Stage, arrange: Callable[[], tuple[Call, Call]], check: Callable[[Any, Any], None], turn: int, stop_at: int
) -> bool:
    """Stop one of the calls at one pause, run the other one as far as it gets, then let both end."""
    stage.clear()
    calls = arrange()
    one, other = stage.sessions[turn], stage.sessions[1 - turn]
    one.start(calls[turn], stop_at)
    has_stopped = one.wait_until_quiet() == "paused"
    other.start(calls[1 - turn])
    stage.waited += other.wait_until_quiet() == "waits"
    one.go_on()
    try:
        answers = {turn: one.result(), 1 - turn: other.result()}
        check_ledger(stage.ledger.connection)
        check(answers[0], answers[1])
        check_nobody_oversleeps(stage.ledger)
        finish_everything(stage.ledger)
    except Exception as error:
        error.add_note(f"call {turn} was stopped at its pause {stop_at}")
        raise
    return has_stopped


def check_nobody_oversleeps(ledger: LedgerDriver) -> None:
    """No slot is idle beside a task that it could claim, unless another one is on its way to it."""
    sleeping = ledger.rows("""
        select t.job_id, t.id, s.id from tbx.tasks t join tbx.jobs j on j.id = t.job_id and j.canceled_at is null
        join tbx.runners r on t.route_id = any (r.routes) and r.state = 'live'
        join tbx.slots s on s.runner_id = r.id and s.state = 'idle'
        join tbx.leases l on l.slot_id = s.id and l.until > tbx.now()
        where t.phase = 'r' and r.wake_by <> 'none' and not exists (
            select 1 from tbx.slots o join tbx.runners n on n.id = o.runner_id
            where o.state = 'woken' and t.route_id = any (n.routes)
        )""")
    assert not sleeping, f"(job, task, idle slot): {sleeping}"


def finish_everything(ledger: LedgerDriver) -> None:
    """Let time and a runner for everything end all jobs; fails if one hangs."""
    for job, canceled in ledger.rows("select id, canceled_at is not null from tbx.jobs order by id"):
        if canceled:
            ledger.retry(job)
    for (slot,) in ledger.rows("select id from tbx.slots where state <> 'gone'"):
        ledger.give_back(slot, None, None)
    ledger.connection.execute("update tbx.tasks set run_after = '-infinity' where phase = 'd'")
    ledger.connection.execute("update tbx.slots set state = 'gone'")
    ledger.connection.execute("delete from tbx.leases")
    ledger.sweep()
    slots = [ledger.slot(ledger.runner(cluster, EVERYTHING)) for cluster in ("a", "b")]
    idle = 0
    while idle < len(slots):
        slots.reverse()
        claim, tasks = ledger.claim(slots[0])
        idle = 0 if tasks else idle + 1
        if tasks:
            ledger.advance(slots[0], claim, [(key, []) for key in ids(tasks)])
    left = ledger.rows("select job_id, id, state::text, phase from tbx.tasks where state in ('QUEUED', 'RUNNING')")
    assert not left, f"these never run: {left}"
    assert ledger.value("select count(*) from tbx.jobs where finished_at is null") == 0
    check_ledger(ledger.connection)


def running(
    races: Stage, specs: list[Spec], *, each: int | None = None, wake_by: str = "none"
) -> list[tuple[int, str, list]]:
    """Submit a job and claim its tasks with as many slots as it takes; return (slot, claim, tasks) of each."""
    job = races.ledger.submit(specs)
    runner = races.ledger.runner("a", wake_by=wake_by)
    claims = []
    for _ in range(len(specs) if each else 1):
        slot = races.ledger.slot(runner)
        claim, tasks = races.ledger.claim(slot, each or 64)
        claims.append((slot, claim, ids(tasks)))
    assert sum(len(tasks) for _, _, tasks in claims) == len([s for s in specs if not s.depends_on]), job
    return claims


def advancing(slot: int, claim: str, tasks: list, subtasks: list[Spec] | None = None, *, then: int = 0) -> Call:
    """Finish tasks, each with the subtasks, and claim as many others."""

    def call(ledger):
        wish = ledger.wish(then) if then else None
        return ledger.advance(slot, claim, [(task, subtasks or []) for task in tasks], *([wish] if wish else []))

    return call


def failing(slot: int, claim: str, tasks: list, *, final: bool = True) -> Call:
    return lambda ledger: ledger.fail(slot, claim, [(task, 0.0, final) for task in tasks])


def is_stale(answer: Answer) -> bool:
    """Whether the ledger refused all or some of a call."""
    return bool(answer.stale)
