"""Play every call of the ledger in random order, on a real ledger and on the reference, and compare."""

import random
import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from ledger_checker import check_ledger
from ledger_driver import LEASE, Id, LedgerDriver, ids
from reference import CRASH_RETRIES, Job, Reference, Runner, Slot, Spec, Task
from strategies import CLUSTERS, capabilities, families

from tilebox_celery.errors import LeaseLost
from tilebox_celery.ledger.calls import NOTHING
from tilebox_celery.model.states import TaskState, legal_events

TICK = 0.001
SOMETHING_WAITS = precondition(lambda self: any(self.model.claimable(slot) for slot in self.model.slots))
SOMETHING_RUNS = precondition(lambda self: self.running())
TASKS = """
    select job_id, id, state::text, phase, attempt, retries, crashes, slot_id, claim_id,
        array(select a.outcome from tbx.attempts a
            where (a.job_id, a.task_id) = (t.job_id, t.id) order by a.finished_at)
    from tbx.tasks t"""
numbers = st.integers(0, 2**16)
CLAIM = {
    "pick": numbers,
    "want": st.sampled_from((64, 1, 2, 5)),
    "cap": st.sampled_from((1000, 1, 3)),
    "share": st.sampled_from((1, 2, 5)),
}
ADVANCE = {"pick": numbers, "data": st.data(), "then": st.booleans()}


class LedgerMachine(RuleBasedStateMachine):
    """Plays every call in random order on a ledger and on the reference."""

    def __init__(self, ledger: LedgerDriver) -> None:
        super().__init__()
        self.ledger = ledger
        self.model = Reference()
        self.keys: dict[Job, int] = {}
        self.uuids: dict[Job, uuid.UUID] = {}
        self.by_id: dict[Id, Task] = {}
        self.zombies: list[tuple[int, str, list[Id]]] = []
        self.states: dict[Id, TaskState] = {}
        self.is_broken = False
        ledger.clear()
        ledger.connection.execute("update tbx.test_clock set stopped_at = clock_timestamp(), ahead = '0'")
        for cluster in CLUSTERS:
            ledger.create_cluster(cluster)

    # --- who is there ----------------------------------------------------------------------------------------------
    @initialize(specs=families())
    def start(self, specs: list[Spec]) -> None:
        """Two slots that can take everything in their cluster, and a job: without them most lives would be short."""
        runner = self.register("a", {("Tile", 1): 10, ("Tile", 2): 0, ("Mosaic", 1): 10, ("Mosaic", 2): 0})
        self.add_slot(runner)
        self.add_slot(runner)
        self.submit(specs, 1)

    @rule(what=st.sampled_from(("runner", "slot", "drain", "gone", "beat")), pick=numbers, takes=capabilities())
    def change_runners(self, what: str, pick: int, takes: dict[tuple[str, int], int]) -> None:
        runner = self.one_of(sorted(self.model.runners), pick)
        if what == "runner" and len(self.model.runners) < 5:
            self.add_slot(self.register(CLUSTERS[pick % 2], takes))
        elif what == "slot" and len(self.model.slots) < 8:
            self.add_slot(runner)
        elif what in ("drain", "gone") and len(self.model.runners) > 2:
            self.ledger.connection.execute("select tbx.drain_runner(%s, %s)", (runner, what == "gone"))
            self.model.drain(runner, gone=what == "gone")
        else:
            self.beat(runner, self.slots_of(runner)[pick % 3 :])

    # --- clients ---------------------------------------------------------------------------------------------------
    @rule(specs=families(), lost=st.integers(0, 9))
    @precondition(lambda self: sum(job.finished_at is None for job in self.model.jobs) < 4)
    def submit_job(self, specs: list[Spec], lost: int) -> None:
        self.submit(specs, lost)

    def submit(self, specs: list[Spec], lost: int) -> None:
        job_uuid = uuid.uuid4()
        if lost == 0:  # the client asks again with the same id
            with self.ledger.lost_commit():
                self.ledger.submit(specs, job_uuid)
        key = self.ledger.submit(specs, job_uuid, self.ledger.wake_ahead() if lost % 2 else None)
        assert self.ledger.submit(specs, job_uuid) == key
        job = self.model.submit(specs)
        self.keys[job], self.uuids[job] = key, job_uuid
        self.learn_ids(job.roots, self.ledger.children(key, None))

    @rule(pick=numbers)
    @precondition(lambda self: sum(job.canceled is None for job in self.model.jobs) > 1)
    def cancel(self, pick: int) -> None:
        job = self.one_of(self.model.jobs, pick)
        assert self.ledger.cancel(self.keys[job]) == self.model.cancel(job)

    @rule(pick=numbers)
    @precondition(lambda self: any(job.canceled for job in self.model.jobs))
    def park(self, pick: int) -> None:
        job = self.one_of([job for job in self.model.jobs if job.canceled], pick)
        assert self.ledger.park(self.keys[job]) == self.model.park(job)

    @rule(pick=numbers, dry_run=st.booleans())
    @precondition(lambda self: any(job.canceled for job in self.model.jobs))
    def retry(self, pick: int, dry_run: bool) -> None:
        job = self.one_of([job for job in self.model.jobs if job.canceled or pick % 4 == 0], pick)
        assert self.ledger.retry(self.keys[job], dry_run=dry_run) == self.model.retry(job, dry_run=dry_run)

    @rule(age=st.sampled_from((0.0, 10.0)))
    @precondition(lambda self: any(job.finished_at is not None for job in self.model.jobs))
    def prune(self, age: float) -> None:
        pruned = self.model.prune(self.model.now - age)
        found = self.ledger.rows("select tbx.prune(tbx.now() - %s, 100)", timedelta(seconds=age))
        assert {row[0] for row in found} == {self.uuids[job] for job in pruned}
        for job in pruned:
            for task in job.tasks:
                del self.by_id[task.id], self.states[task.id]

    # --- slots -----------------------------------------------------------------------------------------------------
    def _claim(self, pick: int, want: int, cap: int, share: int) -> None:
        slots = sorted(self.model.slots)
        slot = self.one_of([key for key in slots if pick % 8 and self.model.claimable(key)] or slots, pick)
        cursor = pick % 3 and min(self.keys.values(), default=0)
        claim, tasks = self.ledger.claim(slot, want, cap=cap, share=share, cursor=cursor)
        self.take(slot, claim, ids(tasks), want, self.ledger.answer.signal)

    claim_any = rule(**CLAIM)(_claim)
    claim = SOMETHING_WAITS(rule(**CLAIM)(_claim))
    claim_again = SOMETHING_WAITS(rule(**CLAIM)(_claim))  # more often than other calls
    claim_more = SOMETHING_WAITS(rule(**CLAIM)(_claim))

    @rule(pick=numbers)
    @SOMETHING_WAITS
    def lost_claim(self, pick: int) -> None:
        slot = self.one_of(sorted(self.model.slots), pick)
        with self.ledger.lost_commit():
            claim, tasks = self.ledger.claim(slot)
        self.zombies.append((slot, claim, ids(tasks)))

    def _advance(self, pick: int, data: st.DataObject, then: bool) -> None:
        slot, claim, tasks = self.some_running(pick)
        has_subtasks = [len(task.job.tasks) < 40 and data.draw(st.booleans()) for task in tasks]
        entries = [
            (task.id, data.draw(families()) if has else []) for task, has in zip(tasks, has_subtasks, strict=True)
        ]
        for zombie in self.some_zombies(pick):  # they sit between the others, with subtasks of their own
            entries.insert(pick % (len(entries) + 1), (zombie, data.draw(families())))
        wish = self.ledger.wish(64) if then else NOTHING
        if data.draw(st.integers(0, 7)) == 0:
            with self.ledger.lost_commit():
                self.ledger.advance(slot, claim, entries, wish)
            self.zombies.append((slot, wish.claim_id, ids(self.ledger.answer.tasks)))
            return

        answer = self.ledger.advance(slot, claim, entries, wish)

        known = [(self.by_id[key], specs) for key, specs in entries if key in self.by_id]
        unknown = [key for key, _ in entries if key not in self.by_id]
        stale = [task.id for task in self.model.advance(claim, known)]
        assert sorted(answer.stale) == sorted([*stale, *unknown])
        for task, _ in known:
            if task.id not in stale:
                self.learn_ids(task.children, self.ledger.children(*task.id))
        self.zombies.append((slot, claim, [task.id for task in tasks]))
        if then:
            self.take(slot, wish.claim_id, ids(answer.tasks), 64, answer.signal)

    advance = SOMETHING_RUNS(rule(**ADVANCE)(_advance))
    advance_again = SOMETHING_RUNS(rule(**ADVANCE)(_advance))
    advance_more = SOMETHING_RUNS(rule(**ADVANCE)(_advance))

    @rule(pick=numbers, delay=st.sampled_from((0.0, 0.0, 3.0)), final=st.booleans(), lost=st.integers(0, 7))
    @SOMETHING_RUNS
    def fail(self, pick: int, delay: float, final: bool, lost: int) -> None:
        slot, claim, tasks = self.some_running(pick)
        keys = [*(task.id for task in tasks), *self.some_zombies(pick)]
        with self.ledger.lost_commit() if lost == 0 else nullcontext():
            answer = self.ledger.fail(slot, claim, [(key, delay, final) for key in keys])
        if lost == 0:
            return
        known = [(self.by_id[key], delay, final) for key in keys if key in self.by_id]
        stale = {task.id for task in self.model.fail(claim, known)}
        assert set(answer.stale) == stale | {key for key in keys if key not in self.by_id}
        self.zombies.append((slot, claim, keys))

    @rule(pick=numbers, everything=st.booleans(), reason=st.sampled_from((None, "shutdown")))
    @SOMETHING_RUNS
    def give_back(self, pick: int, everything: bool, reason: str | None) -> None:
        slot, claim, tasks = self.some_running(pick)
        if everything:
            self.ledger.give_back(slot, None, None, reason)
            self.model.give_back(slot, None, None, reason=reason is not None)
        else:
            self.ledger.give_back(slot, claim, [task.id for task in tasks], reason)
            self.model.give_back(slot, claim, tasks, reason=reason is not None)
        self.zombies.append((slot, claim, [task.id for task in tasks]))

    @rule(pick=numbers, what=st.sampled_from(("advance", "fail", "give_back")), specs=families())
    @precondition(lambda self: self.zombies)
    def act_as_zombie(self, pick: int, what: str, specs: list[Spec]) -> None:
        slot, claim, keys = self.one_of(self.zombies, pick)
        keys = [key for key in keys if key not in self.by_id or self.by_id[key].claim != claim]
        slot = next((task.slot for key in keys if (task := self.by_id.get(key)) and task.slot), slot)
        if what == "advance" and keys:
            assert sorted(self.ledger.advance(slot, claim, [(key, specs) for key in keys]).stale) == sorted(keys)
        elif what == "fail" and keys:
            assert sorted(self.ledger.fail(slot, claim, [(key, 0, True) for key in keys]).stale) == sorted(keys)
        else:
            self.ledger.give_back(slot, claim, keys)

    # --- keepers, the sweep, time ----------------------------------------------------------------------------------
    @rule(pick=numbers, known=st.booleans())
    @SOMETHING_RUNS
    def lose_slot(self, pick: int, known: bool) -> None:
        slot, claim, tasks = self.some_running(pick)
        running = tasks[0] if known else None
        self.ledger.lose(slot, running.id if running else None)
        if not self.model.slots[slot].is_gone:
            self.model.lose(slot, running)
        self.zombies.append((slot, claim, [task.id for task in tasks]))
        self.add_slot(self.model.slots[slot].runner)  # Celery starts another process

    @rule(pick=numbers)
    @SOMETHING_RUNS
    def wear_out(self, pick: int) -> None:
        """A task that has killed all but one of the processes that it may kill."""
        task = self.some_running(pick)[2][0]
        task.crashes = CRASH_RETRIES
        query = "update tbx.tasks set crashes = %s where (job_id, id) = (%s, %s)"
        self.ledger.connection.execute(query, (task.crashes, *task.id))

    @rule(seconds=st.sampled_from((0.5, 2.0, 6.0, 31.0, 70.0)), alive=st.integers(0, 3))
    def sweep(self, seconds: float, alive: int) -> None:
        self.pass_time(seconds)
        for runner in list(self.model.runners)[:alive]:
            self.beat(runner, [key for key in self.slots_of(runner) if not self.model.slots[key].is_gone])
        self.zombies += [(task.slot or 0, task.claim, [task.id]) for task in self.running() if task.claim]
        self.ledger.sweep()
        self.model.sweep()

    # --- what must hold --------------------------------------------------------------------------------------------
    @invariant()
    def equals_the_reference(self) -> None:
        self.pass_time(TICK)
        found = {(row[0], row[1]): list(row[2:]) for row in self.ledger.rows(TASKS)}
        expected = {}
        for task in self.model.tasks():
            claim = uuid.UUID(task.claim) if task.claim else None
            numbers = [task.attempt, task.retries, task.crashes, task.slot]
            expected[task.id] = [str(task.state), task.phase(), *numbers, claim, task.journal]
            if task.job.canceled:  # r or h: it cannot be claimed, and places are given anew with the retry
                for row in (expected[task.id], found.get(task.id, [0, 0])):
                    row[1] = "r" if row[1] == "h" else row[1]
        different = {key: (found.get(key), expected.get(key)) for key in found.keys() | expected.keys()}
        different = {key: pair for key, pair in different.items() if pair[0] != pair[1]}
        self.is_broken = bool(different)
        assert not different, "task: (ledger, reference) " + str(different)
        jobs = self.ledger.rows("select id, finished_at is not null, cancel_reason, parking from tbx.jobs order by id")
        assert jobs == sorted(
            (self.keys[job], job.finished_at is not None, job.canceled, job.is_parking) for job in self.model.jobs
        )

    @invariant()
    def agrees_with_itself(self) -> None:
        check_ledger(self.ledger.connection)

    @invariant()
    def moves_are_legal(self) -> None:
        for key, task in self.by_id.items():
            before = self.states.get(key)
            assert before == task.state or _is_legal(before, task.state), f"{key}: {before} -> {task.state}"
            self.states[key] = task.state

    def teardown(self) -> None:
        """Heal everything: every job that is not canceled comes to its end."""
        if not self.model.runners or self.is_broken:
            return
        for _ in range(2):  # the first only ends lost slots
            self.pass_time(1000)
            self.ledger.sweep()
            self.model.sweep()
        for job in self.model.jobs:
            assert self.ledger.retry(self.keys[job]) == self.model.retry(job)
        everything = {(name, major): 10 for name in ("Tile", "Mosaic") for major in (1, 2)}
        slots = [self.add_slot(self.register(cluster, everything)) for cluster in CLUSTERS]
        idle = 0
        while idle < len(slots):
            slot = slots[0]
            slots.append(slots.pop(0))
            claim, tasks = self.ledger.claim(slot)
            self.take(slot, claim, ids(tasks), 64, self.ledger.answer.signal)
            idle = 0 if tasks else idle + 1
            entries = [(key, []) for key in ids(tasks)]
            self.ledger.advance(slot, claim, entries)
            self.model.advance(claim, [(self.by_id[key], []) for key, _ in entries])
        self.equals_the_reference()
        self.agrees_with_itself()
        assert all(job.finished_at is not None for job in self.model.jobs)

    # --- helpers ---------------------------------------------------------------------------------------------------
    def register(self, cluster: str, takes: dict[tuple[str, int], int]) -> int:
        key = self.ledger.runner(cluster, takes)
        self.model.runners[key] = Runner(cluster, takes, self.model.now)
        return key

    def slots_of(self, runner: int) -> list[int]:
        return [key for key, slot in sorted(self.model.slots.items()) if slot.runner == runner]

    def beat(self, runner: int, slots: list[int]) -> None:
        self.ledger.connection.execute("select * from tbx.heartbeat(%s, %s::bigint[], %s)", (runner, slots, LEASE))
        self.model.heartbeat(runner, slots, LEASE.total_seconds())

    def add_slot(self, runner: int) -> int | None:
        if self.model.runners[runner].state == "gone":
            with pytest.raises(LeaseLost):
                self.ledger.slot(runner)
            return None
        key = self.ledger.slot(runner)
        self.model.slots[key] = Slot(runner, self.model.now + LEASE.total_seconds())
        return key

    def take(self, slot: int, claim: str, found: list[Id], want: int, signal: str) -> None:
        """Check a claim: the oldest tasks of each job, routed right, none if and only if there is none."""
        claimable = [task.id for task in self.model.claimable(slot)]
        assert len(found) <= want
        for job in {key[0] for key in found}:
            taken = sorted(key for key in found if key[0] == job)
            assert taken == [key for key in claimable if key[0] == job][: len(taken)]
        assert bool(found) == bool(claimable)
        gone = self.model.slots[slot].is_gone or self.model.runners[self.model.slots[slot].runner].state == "gone"
        draining = self.model.runners[self.model.slots[slot].runner].state == "draining"
        assert signal == ("" if found else "g" if gone else "d" if draining else "i")
        self.model.claim(slot, claim, [self.by_id[key] for key in found])

    def learn_ids(self, tasks: Sequence[Task], keys: Sequence[Id]) -> None:
        assert len(tasks) == len(keys)
        for task, key in zip(tasks, keys, strict=True):
            task.id = key
            self.by_id[key] = task

    def running(self) -> list[Task]:
        found = [task for task in self.model.tasks() if task.state == TaskState.RUNNING]
        return sorted(found, key=lambda task: task.id)

    def some_running(self, pick: int) -> tuple[int, str, list[Task]]:
        """Some of the tasks of one claim."""
        first = self.one_of(self.running(), pick)
        assert first.slot is not None
        assert first.claim is not None
        batch = [task for task in self.running() if task.claim == first.claim]
        shuffled = random.Random(pick).sample(batch, random.Random(pick).randint(1, len(batch)))
        return first.slot, first.claim, shuffled

    def some_zombies(self, pick: int) -> list[Id]:
        """Tasks whose claims are over: at most two, and only now and then."""
        if pick % 3 or not self.zombies:
            return []
        running = {task.id for task in self.running()}
        return [key for key in self.one_of(self.zombies, pick)[2] if key not in running][:2]

    def pass_time(self, seconds: float) -> None:
        self.ledger.connection.execute("update tbx.test_clock set ahead = ahead + %s", (timedelta(seconds=seconds),))
        self.model.now += seconds

    @staticmethod
    def one_of(values: Sequence[Any], pick: int) -> Any:
        return values[pick % len(values)]


def _is_legal(before: TaskState | None, after: TaskState) -> bool:
    """Whether one call may do this: in one move, or in two (a sweep gives back and skips, a subtask comes skipped)."""
    through = [state for state in TaskState if legal_events(before, state) and legal_events(state, after)]
    return bool(legal_events(before, after) or through)
