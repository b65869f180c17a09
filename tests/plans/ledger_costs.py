"""A ledger with a long history and some work, the calls that are made often, and what each of them reads."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from ledger_driver import LEASE, LedgerDriver, ids
from reference import Spec

from tilebox_celery.postgres.connection import Connection

HISTORY = """
    insert into tbx.routes (cluster_id, name, major, minor) values (1, 'Tile', 1, 0), (1, 'Nobody takes it', 1, 0);
    insert into tbx.jobs (uuid, name, trace_parent, submitted_at, started_at, finished_at, canceled_at, cancel_reason)
        select md5(n::text)::uuid, 'old', '', now(), now(), case when n % 11 > 1 then now() end,
            case when n % 11 = 1 then now() end, case when n % 11 = 1 then 'user' end
        from generate_series(1, 220) n;
    insert into tbx.job_counts (job_id, shard, computed) select j.id, s, 125 from tbx.jobs j, generate_series(0, 7) s;
    insert into tbx.job_limits (job_id, key, max_running) select j.id, 'disk', 2 from tbx.jobs j;
    insert into tbx.task_groups (job_id, id, depth, parent_id, parent_group_id, family_size, open, blocked_by,
            has_dependents, first_task, last_task)
        select j.id, g, 1, g, 0, 1, 0, 0, false, g * 100, g * 100 + 99 from tbx.jobs j, generate_series(1, 10) g;
    insert into tbx.group_edges (job_id, from_id, to_id) select j.id, g, g + 1 from tbx.jobs j, generate_series(1, 9) g;
    insert into tbx.tasks (job_id, id, group_id, parent_id, route_id, depth, state, phase, input, optional_id, limit_id)
        select j.id, n, n / 100, 1, case when j.id % 11 = 0 then 2 else 1 end, 1,
            case when j.finished_at is null then 'QUEUED' when n % 50 = 0 then 'FAILED_OPTIONAL' else 'COMPUTED' end
                ::tbx.task_state,
            case j.id % 11 when 0 then 'r' when 1 then 'p' else '-' end, '1',
            case when n % 5 = 0 then 100 end, case when n % 7 = 0 then 1 end
        from tbx.jobs j, generate_series(100, 1099) n;
    insert into tbx.attempts (job_id, task_id, attempt, claim_id, runner_id, slot_id, claimed_at, finished_at, outcome)
        select j.id, n, 1, gen_random_uuid(), 1, 1, now(), now(), 'computed'
        from tbx.jobs j, generate_series(100, 1099) n where j.finished_at is not null;
    insert into tbx.runners (cluster_id, name, host, pid, code_version, wake_by, routes, slot_count, state)
        select 1, 'old', 'host', 1, '0', 'notify', '{1}', 2, 'gone' from generate_series(1, 2000);
    insert into tbx.slots (runner_id, cluster_id, no, pid, state)
        select r.id, 1, n, 1, 'gone' from tbx.runners r, generate_series(0, 1) n where r.state = 'gone';
    insert into tbx.jobs (uuid, name, trace_parent, submitted_at, started_at, finished_at)
        select gen_random_uuid(), 'pruned', '', now(), now(), now() from generate_series(1, 3000);
"""
"""180,000 finished tasks, 20,000 ready ones that nobody takes, 20,000 parked ones, 4,000 gone slots, 3,000 jobs."""
PAST = """
    insert into tbx.tasks (job_id, id, group_id, parent_id, route_id, depth, state, phase, input)
        select %(job)s, n, 0, 1, 1, 1, 'COMPUTED', '-', '1' from generate_series(100, 20099) n;
    insert into tbx.task_groups (job_id, id, depth, parent_id, parent_group_id, family_size, open, blocked_by,
            has_dependents, first_task, last_task)
        select %(job)s, -g, 1, g, 0, 1, 0, 0, false, g * 100, g * 100 + 99 from generate_series(1, 200) g;
    insert into tbx.attempts (job_id, task_id, attempt, claim_id, runner_id, slot_id, claimed_at, finished_at, outcome)
        select %(job)s, n, 1, gen_random_uuid(), 1, 1, now(), now(), 'computed' from generate_series(100, 20099) n;
"""
"""20,000 finished tasks of the job itself."""
LOOKS_THROUGH_JOB = {"cancel and park", "retry"}
"""What people ask for now and then may look at every task of the job."""
READS = """
    select c.relname, c.relkind = 'i', pg_stat_get_xact_numscans(c.oid), pg_stat_get_xact_tuples_returned(c.oid),
        pg_stat_get_xact_tuples_fetched(c.oid)
    from pg_class c where c.relnamespace = 'tbx'::regnamespace and c.relkind in ('r', 'i')"""
SMALL = {"meta", "clusters", "routes", "leases"}
"""Tables with a row for each thing that there is now: reading them whole is no worse than an index."""


@dataclass(frozen=True)
class Reads:
    """What one call read."""

    indexes: set[str]
    whole_tables: set[str]
    rows: int

    def is_like(self, empty: "Reads", past: int = 0) -> bool:
        """Whether this is as much as the same call read in an empty ledger, up to what undone calls left behind."""
        return not self.whole_tables and self.rows <= 3 * empty.rows + 300 + past


class Scene:
    """Slots with tasks, and a job with 200 more."""

    def __init__(self, connection: Connection) -> None:
        self.ledger = ledger = LedgerDriver(connection)
        self.runner = ledger.runner(takes={("Tile", 1): 0, ("Mosaic", 1): 0}, wake_by="broker")
        self.slot, self.other = ledger.slot(self.runner), ledger.slot(self.runner)
        self.idle = ledger.slot(self.runner, busy=False)
        self.stranger = ledger.slot(ledger.runner(takes={("Nothing", 1): 0}, wake_by="broker"))
        self.job = ledger.submit([Spec(), Spec(depends_on=(0,), name="Mosaic")])
        claim, tasks = ledger.claim(self.slot)
        ledger.advance(self.slot, claim, [(ids(tasks)[0], [Spec(max_retries=1)] * 200)])
        self.claim, tasks = ledger.claim(self.slot, 64)
        self.tasks = ids(tasks)
        ledger.submit([Spec(name="Mosaic", optional=True)])
        self.second, tasks = ledger.claim(self.other, 1, cursor=self.job)
        self.optional = ids(tasks)[0]
        ledger.connection.execute("update tbx.slots set state = 'idle' where state = 'woken'")

    def reads(self, name: str, *, without: str | None = None) -> Reads:
        """Make a call, without an index if one is named, undo it, and return what it read."""
        ledger = self.ledger
        with ledger.lost_commit():
            if without:  # not by psycopg, which drops prepared statements then
                ledger.connection.pgconn.exec_(f"drop index tbx.{without}".encode())
            before = {table: counts for table, _, *counts in ledger.rows(READS)}
            CALLS[name](self)
            found = [
                (table, is_index, *(count - old for count, old in zip(counts, before[table], strict=True)))
                for table, is_index, *counts in ledger.rows(READS)
            ]
        return Reads(
            {table for table, is_index, scans, _, _ in found if is_index and scans},
            {table for table, is_index, scans, _, _ in found if not is_index and scans and table not in SMALL},
            sum(returned + (0 if is_index else fetched) for _, is_index, _, returned, fetched in found),
        )

    def claim_for_another(self) -> None:
        self.ledger.connection.execute("update tbx.slots set state = 'woken' where id = %s", (self.idle,))
        self.ledger.claim(self.other, 1, token=self.idle)

    def advance(self, count: int, want: int) -> None:
        self.ledger.advance(self.slot, self.claim, [(task, []) for task in self.tasks[:count]], self.ledger.wish(want))

    def fail(self, *, final: bool) -> None:
        self.ledger.fail(self.slot, self.claim, [(task, 0.0, final) for task in self.tasks[:2]])

    def beat(self) -> None:
        slots = [self.slot, self.other, self.idle]
        self.ledger.rows("select * from tbx.heartbeat(%s, %s, %s)", self.runner, slots, LEASE)

    def sweep_after(self, change: str, *values: object) -> None:
        self.ledger.connection.execute(change.encode(), values)
        self.ledger.sweep()

    def progress(self) -> None:
        query = "select tbx.report_progress(%s, %s, %s, '{a}', '{2}', '{1}')"
        self.ledger.rows(query, uuid.UUID(self.claim), *self.tasks[0])


CALLS: dict[str, Callable[[Scene], object]] = {
    "submit": lambda scene: scene.ledger.submit([Spec(), Spec(depends_on=(0,))]),
    "wake and submit": lambda scene: scene.ledger.submit([Spec()], ahead=scene.ledger.wake_ahead()),
    "claim": lambda scene: scene.ledger.claim(scene.other, 64, share=4),
    "claim one": lambda scene: scene.ledger.claim(scene.other, 1),
    "claim behind the last job": lambda scene: scene.ledger.claim(scene.other, 1, cursor=1 << 40),
    "claim for another slot": Scene.claim_for_another,
    "claim nothing": lambda scene: scene.ledger.claim(scene.stranger),
    "advance one": lambda scene: scene.advance(1, 1),
    "advance a batch": lambda scene: scene.advance(64, 64),
    "advance with subtasks": lambda scene: scene.ledger.advance(
        scene.other, scene.second, [(scene.optional, [Spec()] * 64)]
    ),
    "fail and retry": lambda scene: scene.fail(final=False),
    "fail": lambda scene: scene.fail(final=True),
    "fail an optional one": lambda scene: scene.ledger.fail(scene.other, scene.second, [(scene.optional, 0.0, True)]),
    "give back": lambda scene: scene.ledger.give_back(scene.slot, scene.claim, scene.tasks[10:]),
    "give all back": lambda scene: scene.ledger.give_back(scene.slot, None, None, "shutdown"),
    "lose a slot": lambda scene: scene.ledger.lose(scene.slot, scene.tasks[0]),
    "heartbeat": Scene.beat,
    "sweep": lambda scene: scene.ledger.sweep(),
    "sweep at the end of a lease": lambda scene: scene.sweep_after(
        "update tbx.leases set until = '-infinity' where slot_id = %s", scene.slot
    ),
    "sweep with a late wake-up": lambda scene: scene.sweep_after(
        "update tbx.slots set state = 'woken', woken_at = tbx.now() - %s where id = %s",
        timedelta(minutes=1),
        scene.idle,
    ),
    "cancel": lambda scene: scene.ledger.cancel(scene.job),
    "cancel and park": lambda scene: (scene.ledger.cancel(scene.job), scene.ledger.park(scene.job)),
    "retry": lambda scene: (scene.ledger.cancel(scene.job), scene.ledger.retry(scene.job)),
    "yield": lambda scene: scene.ledger.rows("select * from tbx.yield_slot(%s)", scene.slot),
    "progress": Scene.progress,
    "register": lambda scene: scene.ledger.slot(scene.ledger.runner()),
    "leave": lambda scene: scene.ledger.rows("select tbx.drain_runner(%s, true)", scene.runner),
}
