"""Drive the ledger as clients, slots and keepers do, without any of them: one method is one call."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from reference import Spec

from tilebox_celery.ledger import runners
from tilebox_celery.ledger.calls import (
    ANSWER,
    NOTHING,
    Answer,
    ClaimedTask,
    Finished,
    SlotCalls,
    WakeUp,
    Wish,
    new_claim_id,
    read_answer,
)
from tilebox_celery.ledger.family import SQL_FAMILY, FamilyBuilder
from tilebox_celery.ledger.routes import RouteIds
from tilebox_celery.model.grouping import group_by_dependencies
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.submission import TaskBatch
from tilebox_celery.postgres.connection import Connection

LEASE = timedelta(seconds=30)
Id = tuple[int, int]
"""Job and task."""
Takes = Mapping[tuple[str, int], int]
"""The highest minor version of each name and major version."""


class LedgerDriver:
    """The calls of everybody, over one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.routes = RouteIds()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read the ledger's tables."""
        return self.connection.execute(query.encode(), values).fetchall()

    def value(self, query: str, *values: object) -> Any:
        """Read one value."""
        return self.rows(query, *values)[0][0]

    # --- clients ---------------------------------------------------------------------------------------------------
    def create_cluster(self, slug: str) -> int:
        return self.value("insert into tbx.clusters (slug, display_name) values (%s, %s) returning id", slug, slug)

    def wake_ahead(self, cluster: str = "a") -> int | None:
        """Wake a slot for a task that is still to be submitted; return it. `answer` holds its message."""
        route = self.routes.of_batch(self.connection, self._batch([Spec(cluster=cluster)])[0], cluster)[0]
        [(slot, runner, by_message)] = self.rows("select * from tbx.wake_ahead(%s)", route)
        self.answer = Answer(wake_ups=[WakeUp(slot, runner)] if by_message else [])
        return slot

    def submit(self, specs: Sequence[Spec], job: uuid.UUID | None = None, ahead: int | None = None) -> int:
        """Submit a job and return its key."""
        family = FamilyBuilder()
        family.add(*self._batch(specs))
        job = job or uuid.uuid4()
        query = f"select {ANSWER} from tbx.submit('test', %s, 'job', '00-0-0-00', null, null, %s, {SQL_FAMILY})"
        self.answer = read_answer(self.rows(query, job, ahead, *family.parameters()))
        return self.value("select id from tbx.jobs where uuid = %s", job)

    def cancel(self, job: int) -> bool:
        return self.value("select tbx.cancel('test', %s)", job)

    def park(self, job: int, count: int = 10_000) -> int:
        return self.value("select tbx.park(%s, %s)", job, count)

    def retry(self, job: int, *, dry_run: bool = False) -> int:
        self.answer = read_answer(self.rows(f"select {ANSWER} from tbx.retry('test', %s, %s)", job, dry_run))
        return self.answer.count

    # --- runners ---------------------------------------------------------------------------------------------------
    def runner(
        self,
        cluster: str = "a",
        takes: Mapping[tuple[str, int], int] | None = None,
        *,
        wake_by: str = "none",
        slots: int = 1,
    ) -> int:
        """Register a runner; `takes` gives the highest minor version of each name and major version."""
        return runners.register_runner(
            self.connection,
            cluster,
            [_identifier(name, (major, minor)) for (name, major), minor in (takes or {("Tile", 1): 0}).items()],
            name="test",
            host="localhost",
            pid=1,
            code_version="0",
            wake_by=wake_by,
            slots=slots,
        )

    def slot(self, runner: int, *, busy: bool = True, lease: timedelta = LEASE) -> int:
        return runners.register_slot(self.connection, runner, 0, 1, lease, busy=busy)

    def claim(
        self, slot: int, want: int = 64, *, share: int = 1, cap: int = 1000, cursor: int = 0, token: int | None = None
    ) -> tuple[str, list[ClaimedTask]]:
        """Claim a batch; return the claim and its tasks. `answer` holds the rest."""
        wish = self.wish(want, share=share, cap=cap, cursor=cursor)
        self.answer = SlotCalls(self.connection, slot).claim(wish, token)
        return wish.claim_id, self.answer.tasks

    def wish(self, want: int = 64, *, share: int = 1, cap: int = 1000, cursor: int = 0) -> Wish:
        routes = [route for (route,) in self.rows("select id from tbx.routes order by id")]
        return Wish(new_claim_id(), cursor, want, share, routes, [cap] * len(routes))

    def advance(
        self, slot: int, claim: str, entries: Sequence[tuple[Id, Sequence[Spec]]], wish: Wish = NOTHING
    ) -> Answer:
        """Finish tasks, each with its subtasks, and claim what the wish says."""
        finished = _finished([task for task, _ in entries])
        for position, (_, specs) in enumerate(entries):
            finished.has_subtasks[position] = bool(specs)
            if specs:
                finished.family.add(*self._batch(specs))
        self.answer = SlotCalls(self.connection, slot).advance(claim, finished, wish)
        return self.answer

    def fail(self, slot: int, claim: str, entries: Sequence[tuple[Id, float, bool]]) -> Answer:
        """Fail tasks; an entry is (task, seconds before its retry, whether it is final)."""
        finished = _finished([task for task, _, _ in entries])
        errors = ["ValueError: no"] * len(entries)
        delays = [int(delay * 1e6) for _, delay, _ in entries]
        final = [is_final for *_, is_final in entries]
        self.answer = SlotCalls(self.connection, slot).fail(claim, finished, errors, delays, final)
        return self.answer

    def give_back(self, slot: int, claim: str | None, tasks: Sequence[Id] | None, reason: str | None = None) -> Answer:
        self.answer = runners.give_back_unstarted(self.connection, slot, claim, tasks, reason)
        return self.answer

    def lose(self, slot: int, running: Id | None = None) -> Answer:
        self.answer = runners.slot_lost(self.connection, slot, running, "killed")
        return self.answer

    def sweep(self) -> Answer:
        self.answer = runners.sweep(self.connection)
        return self.answer

    # --- for tests -------------------------------------------------------------------------------------------------
    def children(self, job: int, parent: int | None) -> list[Id]:
        """Return the subtasks of a task, or the roots of a job, as they were submitted."""
        query = "select job_id, id from tbx.tasks where job_id = %s and parent_id is not distinct from %s order by id"
        return self.rows(query, job, parent)

    def states(self, job: int) -> list[str]:
        """Return the states of a job's tasks, by id."""
        return [state for (state,) in self.rows("select state::text from tbx.tasks where job_id = %s order by id", job)]

    @contextmanager
    def lost_commit(self) -> Iterator[None]:
        """Lose what happens inside, as a crash of the server loses an asynchronous commit."""
        self.connection.pgconn.exec_(b"begin")  # not by psycopg, which drops prepared statements with a rollback
        try:
            yield
        finally:
            self.connection.pgconn.exec_(b"rollback")
            self.routes.forget()

    def clear(self) -> None:
        """Empty the ledger; numbers go on."""
        query = "select tablename from pg_tables where schemaname = 'tbx' and tablename <> all (%s)"
        tables = [table for (table,) in self.rows(query, _KEPT)]
        deletes = "; ".join(f"delete from tbx.{table}" for table in [*tables, "routes", "clusters"])
        self.connection.execute(deletes.encode(), prepare=False)
        self.routes.forget()

    def _batch(self, specs: Sequence[Spec]) -> tuple[TaskBatch, list[int]]:
        graph = group_by_dependencies([spec.depends_on for spec in specs])
        batch = TaskBatch(
            [_identifier(spec.name, spec.version) for spec in specs],
            [spec.cluster for spec in specs],
            [b"1"] * len(specs),
            [None] * len(specs),
            [spec.max_retries for spec in specs],
            [spec.optional for spec in specs],
            [spec.limit for spec in specs],
            *graph,
        )
        return batch, self.routes.of_batch(self.connection, batch, "a")


_KEPT = ["meta", "test_clock", "routes", "clusters"]


def ids(tasks: Sequence[ClaimedTask]) -> list[Id]:
    """Return job and task of claimed tasks."""
    return [(task.job_id, task.id) for task in tasks]


def _identifier(name: str, version: tuple[int, int]) -> TaskIdentifier:
    return TaskIdentifier(name, f"v{version[0]}.{version[1]}")


def _finished(tasks: Sequence[Id]) -> Finished:
    count = len(tasks)
    return Finished(
        [job for job, _ in tasks],
        [task for _, task in tasks],
        *([1] * count, [1000] * count, [500] * count, [4096] * count),
        *([None] * count, [None] * count, [False] * count),
    )
