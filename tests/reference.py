"""The ledger in plain Python: what its functions promise, without a database, an index or a lock.

A task waits until everything that it depends on is *settled*: computed with its whole subtree, failed as optional, or
skipped. Fairness and wake-ups are left out: the reference says which tasks a slot may claim, not which it gets.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tilebox_celery.model.states import TaskState

CRASH_RETRIES = 10
SETTLED = (TaskState.COMPUTED, TaskState.FAILED_OPTIONAL, TaskState.SKIPPED)


@dataclass(frozen=True)
class Spec:
    """A task that somebody submits; `depends_on` are positions among its siblings."""

    name: str = "Tile"
    version: tuple[int, int] = (1, 0)
    cluster: str = "a"
    depends_on: tuple[int, ...] = ()
    optional: bool = False
    limit: tuple[str, int] | None = None
    max_retries: int = 0


@dataclass(eq=False)
class Task:
    """One task; `id` is what the real ledger calls it, known after the call."""

    job: "Job"
    parent: "Task | None"
    spec: Spec
    depends_on: list["Task"] = field(default_factory=list)
    children: list["Task"] = field(default_factory=list)
    id: tuple[int, int] = (2**63, 0)
    state: TaskState = TaskState.QUEUED
    attempt: int = 0
    retries: int = 0
    crashes: int = 0
    claim: str | None = None
    slot: int | None = None
    run_after: float | None = None
    is_blocked: bool = True
    is_parked: bool = False
    has_place: bool = False
    """Holds one of the places of its limit."""
    is_skipping: bool = False
    """An optional task below which something failed: nothing more starts there."""
    journal: list[str] = field(default_factory=list)

    def is_settled(self) -> bool:
        return self.state in SETTLED and all(child.is_settled() for child in self.children)

    def below(self) -> Iterator["Task"]:
        for child in self.children:
            yield child
            yield from child.below()

    def optional_roots(self) -> Iterator["Task"]:
        """The optional tasks at or above this one, the nearest first."""
        task: Task | None = self
        while task is not None:
            if task.spec.optional:
                yield task
            task = task.parent

    def phase(self) -> str:
        if self.state != TaskState.QUEUED:
            return "-"
        if self.is_blocked:
            return "b"
        if self.is_parked:
            return "p"
        if self.run_after is not None:
            return "d"
        return "h" if self.spec.limit and not self.has_place else "r"


@dataclass(eq=False)
class Job:
    roots: list[Task] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    canceled: str | None = None
    canceled_at: float = 0.0
    is_parking: bool = False
    finished_at: float | None = None


@dataclass
class Runner:
    cluster: str
    takes: dict[tuple[str, int], int]
    """Highest minor version of each name and major version."""
    seen_at: float
    state: str = "live"

    def can_take(self, spec: Spec) -> bool:
        minor = self.takes.get((spec.name, spec.version[0]), -1)
        return spec.cluster == self.cluster and spec.version[1] <= minor


@dataclass
class Slot:
    runner: int
    lease_until: float
    is_gone: bool = False


@dataclass
class Reference:
    now: float = 0.0
    jobs: list[Job] = field(default_factory=list)
    runners: dict[int, Runner] = field(default_factory=dict)
    slots: dict[int, Slot] = field(default_factory=dict)

    def tasks(self) -> Iterator[Task]:
        for job in self.jobs:
            yield from job.tasks

    # --- clients ---------------------------------------------------------------------------------------------------
    def submit(self, specs: Sequence[Spec]) -> Job:
        job = Job()
        self.jobs.append(job)
        job.roots = self._insert(job, None, specs)
        self._end_call()
        return job

    def cancel(self, job: Job) -> bool:
        if job.canceled or job.finished_at is not None:
            return False
        job.canceled, job.canceled_at, job.is_parking = "user", self.now, True
        return True

    def park(self, job: Job) -> int:
        parked = [task for task in job.tasks if task.phase() in "rhd"] if job.canceled else []
        for task in parked:
            task.is_parked = True
        return len(parked)

    def retry(self, job: Job, *, dry_run: bool = False) -> int:
        failed = [task for task in job.tasks if task.state == TaskState.FAILED and job.finished_at is None]
        if dry_run or job.finished_at is not None or not (failed or job.canceled):
            return len(failed)
        job.canceled, job.is_parking = None, False
        for task in failed:
            task.state, task.retries, task.crashes = TaskState.QUEUED, 0, 0
        for task in job.tasks:
            if task.is_parked or task in failed:
                task.run_after = None
            if task.state == TaskState.QUEUED and task.run_after is None:
                task.is_parked = task.has_place = False  # places are given anew, the oldest first
        self._end_call()
        return len(failed)

    def prune(self, before: float) -> list[Job]:
        pruned = [job for job in self.jobs if job.finished_at is not None and job.finished_at < before]
        self.jobs = [job for job in self.jobs if job not in pruned]
        return pruned

    # --- slots -----------------------------------------------------------------------------------------------------
    def claimable(self, slot_id: int) -> list[Task]:
        """What the slot may claim, the oldest first."""
        slot = self.slots[slot_id]
        runner = self.runners[slot.runner]
        if slot.is_gone or runner.state != "live":
            return []
        ready = [task for job in self.jobs if not job.canceled for task in job.tasks if task.phase() == "r"]
        return sorted((task for task in ready if runner.can_take(task.spec)), key=lambda task: task.id)

    def claim(self, slot_id: int, claim: str, tasks: Sequence[Task]) -> None:
        for task in tasks:
            task.state, task.claim, task.slot, task.attempt = TaskState.RUNNING, claim, slot_id, task.attempt + 1

    def advance(self, claim: str, entries: Sequence[tuple[Task, Sequence[Spec]]]) -> list[Task]:
        """Finish tasks with their subtasks; return the stale ones, which change nothing."""
        stale = [task for task, _ in entries if not self._is_current(task, claim)]
        for task, specs in entries:
            if task not in stale:
                self._leave(task, TaskState.COMPUTED, "computed")
                task.children = self._insert(task.job, task, specs)
        self._end_call()
        return stale

    def fail(self, claim: str, entries: Sequence[tuple[Task, float, bool]]) -> list[Task]:
        """Fail tasks; an entry is (task, delay of its retry, whether it is final). Return the stale ones."""
        stale = [task for task, _, _ in entries if not self._is_current(task, claim)]
        spent = []
        for task, delay, is_final in entries:
            if task in stale:
                continue
            if is_final or task.job.canceled or task.retries >= task.spec.max_retries:
                spent.append(task)
            else:
                task.retries += 1
                self._leave(task, TaskState.QUEUED, "failed")
                task.run_after = self.now + delay if delay > 0 else None
        self._end_failed(spent, "failed")
        self._end_call()
        return stale

    def give_back(self, slot_id: int, claim: str | None, tasks: Sequence[Task] | None, *, reason: bool) -> None:
        for task in self._held_by(slot_id):
            if (claim is None or task.claim == claim) and (tasks is None or task in tasks):
                if not reason:  # it has never been started: no attempt
                    task.attempt -= 1
                self._leave(task, TaskState.QUEUED, "given_back" if reason else None)
                task.is_parked = task.job.canceled is not None
        self._end_call()

    # --- keepers and the sweep -------------------------------------------------------------------------------------
    def lose(self, slot_id: int, running: Task | None) -> None:
        """The slot's process is gone; `running` is what it was running, None if nobody knows."""
        self._lose([slot_id], running)
        self._end_call()

    def heartbeat(self, runner_id: int, slot_ids: Sequence[int], lease: float) -> None:
        runner = self.runners[runner_id]
        runner.seen_at = self.now
        if runner.state == "gone" and slot_ids:
            runner.state = "live"
        for slot_id in slot_ids:
            self.slots[slot_id].is_gone, self.slots[slot_id].lease_until = False, self.now + lease

    def drain(self, runner_id: int, *, gone: bool) -> None:
        runner = self.runners[runner_id]
        if runner.state != "gone":
            runner.state = "gone" if gone else "draining"
        for slot_id, slot in self.slots.items():
            if gone and slot.runner == runner_id and not self._held_by(slot_id):
                slot.is_gone = True

    def sweep(self) -> None:
        lost = [slot_id for slot_id, slot in self.slots.items() if not slot.is_gone and slot.lease_until < self.now]
        if lost:
            self._lose(lost, None)
            self._end_call()
            return  # the rest waits for the next sweep
        for runner_id, runner in self.runners.items():
            alone = all(slot.is_gone for slot in self.slots.values() if slot.runner == runner_id)
            if alone and runner.seen_at < self.now - 60:
                runner.state = "gone"
        for task in self.tasks():
            if task.phase() == "d" and task.run_after is not None and task.run_after <= self.now:
                task.run_after = None
        for job in self.jobs:
            if job.is_parking and not self.park(job) and job.canceled_at < self.now - 5:
                job.is_parking = False
        self._end_call()

    # --- what follows ----------------------------------------------------------------------------------------------
    def _insert(self, job: Job, parent: Task | None, specs: Sequence[Spec]) -> list[Task]:
        skipped = parent is not None and any(root.is_skipping for root in parent.optional_roots())
        new = [Task(job, parent, spec, state=TaskState.SKIPPED if skipped else TaskState.QUEUED) for spec in specs]
        for task in new:
            task.depends_on = [new[position] for position in task.spec.depends_on]
            if task.spec.limit:
                job.limits.setdefault(*task.spec.limit)  # the first submission of a key decides
        job.tasks += new
        return new

    def _leave(self, task: Task, state: TaskState, outcome: str | None) -> None:
        """End an attempt."""
        task.state, task.claim, task.slot = state, None, None
        if outcome:
            task.journal.append(outcome)
        if state != TaskState.QUEUED:
            task.has_place = False

    def _lose(self, slot_ids: Sequence[int], running: Task | None) -> None:
        spent = []
        for slot_id in slot_ids:
            self.slots[slot_id].is_gone = True
        for task in [task for slot_id in slot_ids for task in self._held_by(slot_id)]:
            if running is not None and task is not running:
                self._leave(task, TaskState.QUEUED, "given_back")
            elif task.crashes >= CRASH_RETRIES:
                spent.append(task)
                continue
            else:
                wait = min(30.0, 2.0 ** (task.crashes - 1)) if task.crashes else None
                task.crashes += 1
                self._leave(task, TaskState.QUEUED, "lost")
                task.run_after = self.now + wait if wait else None
            task.is_parked = task.job.canceled is not None
        self._end_failed(spent, "lost")  # of all slots together: a job that they cancel is parked by a later sweep

    def _end_failed(self, tasks: Sequence[Task], outcome: str) -> None:
        for task in tasks:
            root = next(task.optional_roots(), None)
            self._leave(task, TaskState.FAILED_OPTIONAL if root else TaskState.FAILED, outcome)
            if root is None:
                if not task.job.canceled:
                    task.job.canceled, task.job.canceled_at, task.job.is_parking = "failure", self.now, True
            elif root is not task:
                root.is_skipping = True
                for other in root.below():
                    if other.state == TaskState.QUEUED:
                        other.state, other.has_place = TaskState.SKIPPED, False

    def _end_call(self) -> None:
        """Unblock, park, give places to the oldest, end jobs: what is true after each call."""
        for job in self.jobs:
            for task in job.tasks:
                if task.is_blocked and all(other.is_settled() for other in task.depends_on):
                    task.is_blocked = False
                    task.is_parked = job.canceled is not None
            for key, most in job.limits.items():
                under = [task for task in job.tasks if task.spec.limit and task.spec.limit[0] == key]
                free = most - sum(task.has_place for task in under)
                held = sorted((task for task in under if task.phase() == "h"), key=lambda task: task.id)
                for task in held[: max(0, free)]:
                    task.has_place = True
            if job.finished_at is None and all(task.is_settled() for task in job.roots):
                job.finished_at = self.now

    def _is_current(self, task: Task, claim: str) -> bool:
        return task.state == TaskState.RUNNING and task.claim == claim

    def _held_by(self, slot_id: int) -> list[Task]:
        return [task for task in self.tasks() if task.slot == slot_id and task.state == TaskState.RUNNING]
