"""Calls survive lost connections, deadlocks and forks, and happen once."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tilebox_celery.errors import ArgumentError, AuthenticationError, InternalServerError, LedgerUnavailable
from tilebox_celery.ledger.calls import WakeUp
from tilebox_celery.ledger.control import TO_DISK, LedgerControl, Submission
from tilebox_celery.ledger.open import Ledger
from tilebox_celery.ledger.queries_jobs import JobFilter, list_jobs
from tilebox_celery.ledger.runners import register_runner, register_slot
from tilebox_celery.ledger.session import CallSession, translate
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.submission import SubtaskCollector, group_tasks
from tilebox_celery.model.task import Task, task_identifier
from tilebox_celery.model.task_ids import new_job_id
from tilebox_celery.postgres.connection import Connection, connect
from tilebox_celery.settings import Settings


class Tile(Task):
    pass


@pytest.fixture
def ledger(ledger_url: str, cluster: Cluster) -> Iterator[Ledger]:
    """The ledger of this test with its first cluster."""
    ledger = Ledger(ledger_url, Settings())
    yield ledger
    ledger.close()


def submission(name: str = "job", count: int = 1) -> Submission:
    """Make a job of equal tasks."""
    collector = SubtaskCollector()
    collector.submit_subtasks([Tile() for _ in range(count)])
    return Submission(new_job_id(), name, "00-0-0-00", group_tasks(collector.futures))


def counted(connection: Connection) -> tuple[Any, ...] | None:
    """Count jobs and tasks."""
    return connection.execute("select (select count(*) from tbx.jobs), (select count(*) from tbx.tasks)").fetchone()


def end_others(connection: Connection) -> int:
    """End all other sessions of this database, and wait until they are gone."""
    rows = connection.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    ).fetchall()
    return len(rows)


def test_submitting_the_same_id_again_changes_nothing(ledger: Ledger, connection: Connection) -> None:
    """A submission is idempotent by its id, even with other content."""
    job = submission(count=3)

    ledger.control.submit(job)
    ledger.control.submit(job)
    ledger.control.submit(replace(submission(count=5), id=job.id))

    assert counted(connection) == (1, 3)


@pytest.mark.parametrize("with_messages", [False, True])
def test_calls_go_on_after_a_rollback(
    ledger: Ledger, connection: Connection, cluster: Cluster, with_messages: bool
) -> None:
    """A refused deletion rolls back, and with it go the prepared statements: they are prepared again."""
    register_slots(connection, cluster, 6 if with_messages else 0)
    sent: list[WakeUp] = []
    ledger.control.publish = sent.extend
    for _ in range(2):
        ledger.control.submit(submission())

        with pytest.raises(ArgumentError, match="queued"):
            ledger.control.delete_cluster(cluster.slug)

    ledger.control.submit(submission())
    with ledger.reading.connection() as reading:
        assert len(list_jobs(reading, JobFilter())) == 3
    assert len(sent) == len(set(sent)) == (3 if with_messages else 0)


def register_slots(connection: Connection, cluster: Cluster, count: int) -> None:
    """Let idle slots stand by that are woken by messages."""
    for i in range(count):
        tile = [task_identifier(Tile)]
        runner = register_runner(
            connection, cluster.slug, tile, name="r", host="h", pid=i, code_version="1", wake_by="broker", slots=1
        )
        register_slot(connection, runner, 0, i, timedelta(seconds=30), busy=False)


def test_calls_go_on_after_a_lost_connection(ledger: Ledger, connection: Connection) -> None:
    """When the server has ended the sessions, calls and reads open new ones and nobody notices."""
    ledger.control.submit(submission())
    with ledger.reading.connection() as lent:
        list_jobs(lent, JobFilter())
    ended = end_others(connection)

    ledger.control.submit(submission())
    with ledger.reading.connection() as lent:
        found = list_jobs(lent, JobFilter())

    assert ended >= 2
    assert len(found) == 2
    assert counted(connection) == (2, 2)


def test_a_session_ends_between_a_wake_up_and_its_job(
    ledger: Ledger, connection: Connection, cluster: Cluster, ledger_url: str
) -> None:
    """The server ends the session after a slot was woken and before the job is stored: it is stored once, and other
    threads go on meanwhile.
    """
    register_slots(connection, cluster, 4)
    sent: list[WakeUp] = []
    ledger.control.publish = sent.extend
    ledger.control.submit(submission())
    waiting = "select pid from pg_stat_activity where wait_event = 'advisory' and datname = current_database()"
    with ThreadPoolExecutor() as pool, connect(ledger_url) as other:
        with other.transaction():
            other.execute("select pg_advisory_xact_lock(7418, id) from tbx.clusters")
            storing = pool.submit(ledger.control.submit, submission())
            while not (pids := connection.execute(waiting).fetchall()):
                assert not storing.done()
            connection.execute("select pg_terminate_backend(%s, 5000)", pids[0])
        storing.result(30)
    ledger.control.submit(submission())

    assert counted(connection) == (3, 3)
    assert len({wake_up.slot_id for wake_up in sent}) == 4


class Watched:
    """Hands calls on to a real connection; looks in between the commit of a submission and the wait for the disk."""

    def __init__(self, real: Connection, look: Callable[[Connection], None]) -> None:
        self.real = real
        self.look = look

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __hash__(self) -> int:
        return hash(self.real)

    def execute(self, query: bytes, *rest: Any) -> Any:
        if query == TO_DISK:
            self.look(self.real)
        return self.real.execute(query, *rest)


def test_submission_is_on_the_disk_when_submit_returns(
    ledger_url: str, cluster: Cluster, connection: Connection
) -> None:
    """Slots may start before that, and who submitted hears of his job after it."""
    source = Ledger(ledger_url, Settings())
    written: list[Any] = []

    def look(_: Connection) -> None:
        written.extend(connection.execute("select pg_current_wal_insert_lsn(), count(*) from tbx.jobs").fetchall())

    control = LedgerControl(CallSession(ledger_url, lambda: Watched(source.connect.for_calls(), look)))  # type: ignore[arg-type, return-value]

    control.submit(submission())

    ((position, jobs),) = written
    flushed = connection.execute("select pg_current_wal_flush_lsn() >= %s::pg_lsn", (position,)).fetchone()
    control.session.close()
    assert jobs == 1
    assert flushed == (True,)


def test_lost_answer_of_a_submit_is_asked_for_again(ledger_url: str, cluster: Cluster, connection: Connection) -> None:
    """If the connection breaks after the commit and before the answer, the job is stored once and no error is seen."""
    source = Ledger(ledger_url, Settings())
    lost: list[int] = []

    def open_losing() -> Any:
        def lose(_: Connection) -> None:
            if not lost:
                lost.append(end_others(connection))

        return Watched(source.connect.for_calls(), lose)

    control = LedgerControl(CallSession(ledger_url, open_losing))

    control.submit(submission(count=2))

    control.session.close()
    assert lost
    assert counted(connection) == (1, 2)


def test_deadlock_is_repeated(ledger: Ledger, connection: Connection) -> None:
    """A call that Postgres ended because of a deadlock is run again, and succeeds."""
    connection.execute("create table public.rows as select n, 0 as hits from generate_series(1, 2) n")
    barrier = threading.Barrier(2)
    runs: list[int] = []

    def update_both(session: CallSession, first: int) -> None:
        def call(own: Connection) -> None:
            runs.append(first)
            with own.transaction():
                own.execute("set local deadlock_timeout = '50ms'")
                own.execute("update public.rows set hits = hits + 1 where n = %s", (first,))
                if len(runs) <= 2:
                    barrier.wait(timeout=10)
                own.execute("update public.rows set hits = hits + 1 where n = %s", (3 - first,))

        session.run(call)

    sessions = [CallSession(ledger.url, ledger.connect) for _ in range(2)]
    threads = [threading.Thread(target=update_both, args=pair) for pair in zip(sessions, (1, 2), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for session in sessions:
        session.close()

    assert len(runs) > 2  # the one that lost ran again
    assert connection.execute("select array_agg(hits) from public.rows").fetchone() == ([2, 2],)


def test_unreachable_server_fails_at_once_when_never_reached() -> None:
    """A server that was never reached is not waited for."""
    opened: list[int] = []

    def open_once() -> Connection:
        opened.append(1)
        return connect("postgresql://me@127.0.0.1:1/x")

    with pytest.raises(LedgerUnavailable, match="cannot be reached"):
        CallSession("postgresql://me@127.0.0.1:1/x", open_once).run(lambda connection: None)

    assert opened == [1]


def test_server_that_stays_away_is_reported(ledger_url: str, connection: Connection) -> None:
    """A server that went away is waited for, and reported in one sentence when it does not come back."""
    opened: list[int] = []

    def open_first() -> Connection:
        opened.append(1)
        return connect(ledger_url if len(opened) == 1 else "postgresql://me:hidden@127.0.0.1:1/x")

    session = CallSession("postgresql://me:hidden@127.0.0.1:1/x", open_first, pauses=(0.0, 0.01, 0.01))
    session.run(lambda own: own.execute("select 1"))
    end_others(connection)

    with pytest.raises(LedgerUnavailable, match="cannot be reached") as caught:
        session.run(lambda own: own.execute("select 1"))

    assert "hidden" not in str(caught.value)
    assert len(opened) == 4


def test_refused_call_is_an_internal_error(ledger: Ledger) -> None:
    """A statement that the ledger refuses is an InternalServerError with its state, and is not repeated."""
    runs: list[int] = []

    def call(own: Connection) -> None:
        runs.append(1)
        own.execute("select 1 / 0")

    with pytest.raises(InternalServerError, match=r"refused a call: division by zero \(SQLSTATE 22012\)"):
        ledger.control.session.run(call)

    assert runs == [1]


def test_refused_login_keeps_its_class(ledger_url: str) -> None:
    """A refused login among translated errors is an AuthenticationError."""
    error = psycopg.OperationalError('connection failed: FATAL:  role "x" does not exist')

    assert isinstance(translate(error, ledger_url), AuthenticationError)


def test_wake_ups_are_handed_to_publish(ledger: Ledger, connection: Connection, cluster: Cluster) -> None:
    """Idle slots of runners that want messages come out of submit and retry as wake-ups, once."""
    runner = register_runner(
        connection,
        cluster.slug,
        [task_identifier(Tile)],
        name="r",
        host="h",
        pid=1,
        code_version="0",
        wake_by="broker",
        slots=1,
    )
    slot = register_slot(connection, runner, 0, 1, timedelta(seconds=30), busy=False)
    sent: list[WakeUp] = []
    control = LedgerControl(ledger.control.session, publish=sent.extend)

    control.submit(submission(count=5))
    control.submit(submission())

    assert sent == [WakeUp(slot, runner)]


def test_fork_leaves_the_connection_to_the_parent(ledger: Ledger, connection: Connection) -> None:
    """A forked child opens connections of its own for calls and reads, and the parent's go on working."""
    ledger.control.submit(submission("parent"))
    with ledger.reading.connection() as lent:
        list_jobs(lent, JobFilter())
    before = {
        row[0] for row in connection.execute("select pid from pg_stat_activity where datname = current_database()")
    }

    child = os.fork()
    if child == 0:
        code = 1
        try:
            ledger.control.submit(submission("child"))
            with ledger.reading.connection() as lent:
                code = 0 if len(list_jobs(lent, JobFilter())) == 2 else 2
            ledger.close()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    ledger.control.submit(submission("parent again"))
    with ledger.reading.connection() as lent:
        found = [job.name for job in list_jobs(lent, JobFilter())]

    after = {
        row[0] for row in connection.execute("select pid from pg_stat_activity where datname = current_database()")
    }
    assert os.waitstatus_to_exitcode(status) == 0
    assert found == ["parent again", "child", "parent"]
    assert before <= after


def test_actor_is_kept_for_the_audit(ledger_url: str, cluster: Cluster, connection: Connection) -> None:
    """Who submitted, canceled and retried a job stands in the ledger."""
    ledger = Ledger(ledger_url, Settings(), actor="ada\0")
    job = submission()

    ledger.control.submit(job)
    ledger.control.cancel(job.id)
    ledger.control.retry(job.id)

    ledger.close()
    assert isinstance(job.id, UUID)
    assert connection.execute("select actor, action from tbx.actions order by at").fetchall() == [
        ("ada\ufffd", "submit"),
        ("ada\ufffd", "cancel"),
        ("ada\ufffd", "retry"),
    ]


def test_cancel_parks_a_large_job_in_pieces(ledger: Ledger, connection: Connection) -> None:
    """Canceling parks the tasks of a job larger than one piece, and a retry makes them ready again."""
    job = submission(count=25_000)
    ledger.control.submit(job)

    ledger.control.cancel(job.id)
    parked = connection.execute("select count(*) from tbx.tasks where phase = 'p'").fetchone()
    ledger.control.retry(job.id)
    ready = connection.execute("select count(*) from tbx.tasks where phase = 'r'").fetchone()

    assert parked is not None
    assert parked[0] >= 10_000
    assert ready == (25_000,)
