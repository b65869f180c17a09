"""The calls of one slot: claim, advance, fail, give back. One method is one SQL function and one round trip."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from tilebox_celery import faults
from tilebox_celery.ledger import literals as lit
from tilebox_celery.ledger.family import NO_FAMILY, SQL_FAMILY, FamilyBuilder
from tilebox_celery.ledger.prepared import PreparedCall
from tilebox_celery.model.job import Job
from tilebox_celery.model.states import JobState
from tilebox_celery.model.submission import TaskBatch
from tilebox_celery.postgres.connection import Connection

# The texts below are made of constants only; values travel as parameters.
# ruff: noqa: S608
ANSWER = "kind, job_id, task_id, parent_id, route_id, attempt, crashes, retries, input, label, uuid"
CLAIM = PreparedCall(
    f"select {ANSWER} from unnest(tbx.claim_and_count(%s::bigint, %s::bigint, %s::uuid, %s::bigint, %s::int, %s::int,"
    " %s::int[], %s::int[], null, null)) a"
)
ADVANCE = PreparedCall(
    f"select {ANSWER} from tbx.advance(%s::bigint, %s::uuid, %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],"
    f" %s::bigint[], %s::bigint[], %s::text[], %s::bytea[], %s::bool[], {SQL_FAMILY},"
    " %s::uuid, %s::bigint, %s::int, %s::int, %s::int[], %s::int[])"
)
FAIL = PreparedCall(
    f"select {ANSWER} from tbx.fail(%s::bigint, %s::uuid, %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],"
    " %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::bool[])"
)
GIVE_BACK = PreparedCall(
    f"select {ANSWER} from tbx.give_back(%s::bigint, %s::uuid, %s::bigint[], %s::bigint[], %s::text)"
)
YIELD = PreparedCall(f"select {ANSWER} from tbx.yield_slot(%s::bigint)")


class ClaimedTask(NamedTuple):
    """A task that this slot may run."""

    job_id: int
    id: int
    parent_id: int | None
    route_id: int
    attempt: int
    crashes: int
    retries: int
    input: bytes
    display: str | None


class JobRef(NamedTuple):
    """What a runner knows of a job."""

    uuid: UUID
    name: str
    trace_parent: str

    def as_job(self) -> Job:
        """Return the job as a task sees it."""
        submitted_at = datetime.fromtimestamp((self.uuid.int >> 80) / 1000, UTC)
        return Job(self.uuid, self.name, self.trace_parent, JobState.RUNNING, submitted_at)


class WakeUp(NamedTuple):
    """An idle slot of another runner that a message must wake."""

    slot_id: int
    runner_id: int


@dataclass(slots=True)
class Answer:
    """What the ledger said to one call."""

    tasks: list[ClaimedTask] = field(default_factory=list)
    jobs: dict[int, JobRef] = field(default_factory=dict)
    wake_ups: list[WakeUp] = field(default_factory=list)
    stale: list[tuple[int, int]] = field(default_factory=list)
    signal: str = ""
    """``a`` again, ``i`` idle, ``d`` draining, ``g`` gone, or empty."""
    count: int = 0
    """Tasks that a retry requeued."""


@dataclass(slots=True)
class Finished:
    """Tasks of one claim that ended, in parallel lists; times are microseconds."""

    job_ids: list[int] = field(default_factory=list)
    task_ids: list[int] = field(default_factory=list)
    start_us: list[int] = field(default_factory=list)
    run_us: list[int] = field(default_factory=list)
    cpu_us: list[int] = field(default_factory=list)
    peak_rss: list[int] = field(default_factory=list)
    displays: list[str | None] = field(default_factory=list)
    results: list[bytes | None] = field(default_factory=list)
    has_subtasks: list[bool] = field(default_factory=list)
    family: FamilyBuilder = field(default_factory=FamilyBuilder)
    subtasks: list[tuple[TaskBatch, list[int]]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.task_ids)

    def cut(self, count: int) -> None:
        """Keep the first tasks only; what was half added goes, too."""
        for values in (
            self.job_ids,
            self.task_ids,
            self.start_us,
            self.run_us,
            self.cpu_us,
            self.peak_rss,
            self.displays,
            self.results,
            self.has_subtasks,
        ):
            del values[count:]
        del self.subtasks[sum(self.has_subtasks) :]
        self.family = FamilyBuilder()
        for batch, routes in self.subtasks:
            self.family.add(batch, routes)

    def split(self) -> Iterator["Finished"]:
        """Give a report of each task alone."""
        subtasks = iter(self.subtasks)
        for i in range(len(self.task_ids)):
            one = Finished(
                self.job_ids[i : i + 1],
                self.task_ids[i : i + 1],
                self.start_us[i : i + 1],
                self.run_us[i : i + 1],
                self.cpu_us[i : i + 1],
                self.peak_rss[i : i + 1],
                self.displays[i : i + 1],
                self.results[i : i + 1],
                self.has_subtasks[i : i + 1],
            )
            if self.has_subtasks[i]:
                batch, routes = next(subtasks)
                one.subtasks.append((batch, routes))
                one.family.add(batch, routes)
            yield one


class Wish(NamedTuple):
    """What a slot would like to claim next."""

    claim_id: str
    cursor: int
    want: int
    share: int
    cap_routes: Sequence[int]
    caps: Sequence[int]

    def parameters(self) -> tuple[Any, ...]:
        """Return the values of the last six parameters of a claim."""
        return (
            self.claim_id,
            self.cursor,
            self.want,
            self.share,
            lit.int_array(self.cap_routes),
            lit.int_array(self.caps),
        )


NOTHING = Wish("00000000-0000-0000-0000-000000000000", 0, 0, 1, (), ())


def new_claim_id() -> str:
    """Draw the fence of one claim: 128 random bits as a UUID's text."""
    return os.urandom(16).hex()


class SlotCalls:
    """The ledger as one slot sees it.

    Args:
        connection: In autocommit mode, used by this slot alone.
        slot_id: From `register_slot`.
    """

    def __init__(self, connection: Connection, slot_id: int) -> None:
        self.connection = connection
        self.slot_id = slot_id

    def claim(self, wish: Wish, token: int | None = None) -> Answer:
        """Claim a batch; ``token`` is the slot that the wake-up named."""
        return self._call(CLAIM, (self.slot_id, token, *wish.parameters()))

    def advance(self, claim_id: str, finished: Finished, wish: Wish) -> Answer:
        """Report computed tasks with their subtasks, and claim the next batch in the same call."""
        return self._call(
            ADVANCE,
            (
                self.slot_id,
                claim_id,
                lit.int_array(finished.job_ids),
                lit.int_array(finished.task_ids),
                lit.int_array(finished.start_us),
                lit.int_array(finished.run_us),
                lit.int_array(finished.cpu_us),
                lit.int_array(finished.peak_rss),
                lit.text_array(finished.displays) if any(finished.displays) else None,
                lit.bytes_array(finished.results) if any(r is not None for r in finished.results) else None,
                lit.bool_array(finished.has_subtasks) if len(finished.family) else None,
                *(finished.family.parameters() if len(finished.family) else NO_FAMILY),
                *wish.parameters(),
            ),
            faults.seam and partial(faults.seam, "inside_commit"),
        )

    def fail(
        self, claim_id: str, failed: Finished, errors: Sequence[str], delays_us: Sequence[int], final: Sequence[bool]
    ) -> Answer:
        """Report failed tasks; each is retried or ends the job, as its retries say."""
        return self._call(
            FAIL,
            (
                self.slot_id,
                claim_id,
                lit.int_array(failed.job_ids),
                lit.int_array(failed.task_ids),
                lit.int_array(failed.start_us),
                lit.int_array(failed.run_us),
                lit.int_array(failed.cpu_us),
                lit.int_array(failed.peak_rss),
                lit.text_array(failed.displays),
                lit.text_array(errors),
                lit.int_array(delays_us),
                lit.bool_array(final),
            ),
        )

    def give_back(self, claim_id: str | None, tasks: Sequence[ClaimedTask] | None, reason: str | None = None) -> Answer:
        """Return claimed tasks to the queue: those named, or all that the slot holds."""
        jobs = None if tasks is None else lit.int_array(task.job_id for task in tasks)
        ids = None if tasks is None else lit.int_array(task.id for task in tasks)
        return self._call(GIVE_BACK, (self.slot_id, claim_id, jobs, ids, reason))

    def yield_slot(self) -> Answer:
        """Leave the loop although more may be runnable; idle slots are woken for it."""
        return self._call(YIELD, (self.slot_id,))

    def _call(
        self, call: PreparedCall, parameters: tuple[Any, ...], between: Callable[[], None] | None = None
    ) -> Answer:
        return read_answer(call(self.connection, parameters, between))


def read_answer(rows: Sequence[tuple[Any, ...]]) -> Answer:
    """Sort the rows of an answer by their kind."""
    answer = Answer()
    tasks = answer.tasks
    for row in rows:
        kind = row[0]
        if kind == "t":
            _, job_id, task_id, parent_id, route_id, attempt, crashes, retries, data, label, _ = row
            tasks.append(ClaimedTask(job_id, task_id, parent_id, route_id, attempt, crashes, retries, data, label))
        elif kind == "j":
            trace_parent, _, name = row[9].partition(" ")
            answer.jobs[row[1]] = JobRef(row[10], name, trace_parent)
        elif kind == "w":
            answer.wake_ups.append(WakeUp(row[1], row[2]))
        elif kind == "s":
            answer.stale.append((row[1], row[2]))
        elif kind == "n":
            answer.count = row[5]
        else:
            answer.signal = kind
    return answer
