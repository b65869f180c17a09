"""Runners in processes of their own: what wakes them, how they share, stop, die and are recycled."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from runner_project import Dies, Line, Lines, Meet, Wait

from tests.system.fleet import Fleet, until
from tilebox_celery.dispatch.app import make_app
from tilebox_celery.embedded import Stack
from tilebox_celery.ledger import runners
from tilebox_celery.ledger.calls import SlotCalls, Wish, new_claim_id
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.states import JobState
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.testing import DatabaseClock
from tilebox_celery.workflows import Client, ExecutionContext, Task

HERE = Path(__file__).parent
SPOKEN = (
    "select max(query_start) from pg_stat_activity where datname = current_database()"
    " and application_name = 'tilebox-celery {}'"
)


class Workers(Fleet):
    """The processes of one test, which run ``runner_project``."""

    def spawn(self, *command: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start a process that is stopped at the end of the test."""
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=HERE,
            env={**self.environment, **variables},
            stdout=self.log,
            stderr=self.log,
        )
        self.workers.append(process)
        return process

    def forever(self) -> subprocess.Popen[bytes]:
        """Start ``run_forever()`` and wait until the ledger knows its slot."""
        process = self.spawn("runner_project.py", "forever")
        slots = "select 1 from tbx.slots s join tbx.runners r on r.id = s.runner_id where r.pid = %s"
        until(lambda: self.query(slots, process.pid) or process.poll() is not None)
        assert process.poll() is None, self.logged()
        return process

    def spoken(self, who: str) -> Any:
        """Return when a connection of ours last sent something to the ledger."""
        return self.query(SPOKEN.format(who))[0][0]


@pytest.fixture
def workers(client: Client, cluster: Cluster, ledger_url: str, stack: Stack, tmp_path: Path) -> Iterator[Workers]:
    """Processes on the ledger of this test and the broker of this run."""
    workers = Workers(client, ledger_url, stack.broker_url, tmp_path)
    yield workers
    workers.stop()


@pytest.mark.system
@pytest.mark.clause("1.5-3")
@pytest.mark.clause("1.5-4")
def test_run_forever_sleeps_and_then_runs_one_task_at_a_time(workers: Workers, client: Client) -> None:
    """An idle slot says nothing to the ledger while its keeper goes on; work wakes it, and tasks do not overlap."""
    workers.forever()
    beat = until(lambda: workers.spoken("keeper"))
    quiet_since = until(lambda: workers.spoken("slot"))
    until(lambda: workers.spoken("keeper") > beat + timedelta(seconds=2.2))
    assert workers.spoken("slot") == quiet_since

    job = client.jobs().submit("lines", Lines(4, 0.05)).wait(30)

    assert job.state is JobState.COMPLETED
    words = [line.split()[0] for line in workers.effects()]
    assert words == ["start", "end"] * 4


@pytest.mark.system
@pytest.mark.clause("1.4-6")
@pytest.mark.clause("1.5-10")
@pytest.mark.clause("1.5-11")
def test_processes_of_one_script_join_share_and_leave(workers: Workers, client: Client) -> None:
    """A second process joins in the middle and both run at once; the first leaves, and the rest is run once each."""
    first = workers.forever()
    job = client.jobs().submit("shared", [Meet(2), Meet(2), Lines(12, 0.2)])
    workers.until_left("meet")
    workers.forever()
    workers.until_left("met")

    first.terminate()
    first.wait(30)

    assert first.returncode == 0, workers.logged()
    assert job.wait(60).state is JobState.COMPLETED
    assert len({line for line in workers.effects() if line.startswith("met ")}) == 2
    ends = [line.split()[1] for line in workers.effects() if line.startswith("end")]
    assert sorted(ends, key=int) == [str(i) for i in range(12)]
    workers.check_ledger()


@pytest.mark.system
def test_recycled_children_lose_nothing(workers: Workers, client: Client) -> None:
    """--max-tasks-per-child 5 goes through several children, and all fifty tasks are run once."""
    workers.spawn("-m", "celery", "-A", "runner_project:app", "worker", "-c", "1", "--max-tasks-per-child", "5")

    job = client.jobs().submit("lines", Lines(50, 0.06)).wait(60)

    assert job.state is JobState.COMPLETED, workers.logged()
    ends = [line.split() for line in workers.effects() if line.startswith("end")]
    assert sorted(int(end[1]) for end in ends) == list(range(50))
    assert len({end[2] for end in ends}) > 1
    workers.check_ledger()


@pytest.mark.system
def test_celery_sees_the_identifiers_and_takes_them_directly(workers: Workers, client: Client, stack: Stack) -> None:
    """`inspect registered` and `active_queues` list what a runner has, and a task sent there becomes a job of one."""
    workers.forever()
    app = make_app("elsewhere", stack.broker_url)
    [[worker]] = workers.query("select name from tbx.runners")  # other tests' workers share the broker

    registered = until(lambda: app.control.inspect([worker], timeout=1).registered())
    queues = app.control.inspect([worker], timeout=1).active_queues()
    names, (queue,) = registered[worker], queues[worker]
    app.send_task("Line", args=["direct"], queue=queue["name"])
    workers.until_left("end direct")

    assert {"Line", "Lines", "Meet", "Wait", "Dies", "tilebox_celery.wake"} <= set(names)
    assert queue["name"].startswith("tbx.")
    (job,) = until(client.jobs().query)
    assert (job.name, job.wait(30).state) == ("Line", JobState.COMPLETED)


@pytest.mark.system
def test_memory_cache_is_refused_by_several_processes(workers: Workers) -> None:
    """A prefork pool of two with InMemoryCache ends at once with a sentence that says what to use instead."""
    worker = workers.spawn("runner_project.py", "prefork")

    assert worker.wait(60) != 0
    assert "InMemoryCache lives in the memory of one process, so the 2 processes" in workers.logged()


@pytest.mark.system
def test_first_interrupt_lets_the_running_task_end(workers: Workers, client: Client) -> None:
    """Ctrl-C during run_all: the running task is computed, the next is not started, and run_all returns."""
    job = client.jobs().submit("wait", [Wait(), Line("next")])
    process = workers.spawn("runner_project.py", "all")
    workers.until_left("start wait")

    process.send_signal(signal.SIGINT)
    until(lambda: workers.query("select 1 from tbx.runners where state = 'draining'"))
    Path(workers.environment["EFFECTS"] + ".go").touch()

    assert process.wait(30) == 0, workers.logged()
    assert workers.effects() == ["start wait", "end wait"]
    assert sorted(str(task.state) for task in workers.tasks(job)) == ["COMPUTED", "QUEUED"]


@pytest.mark.system
@pytest.mark.clause("1.4-15")
def test_second_interrupt_gives_the_running_task_back(workers: Workers, client: Client) -> None:
    """Ctrl-C twice: KeyboardInterrupt, the task is queued again without costing a retry, the job is not canceled."""
    job = client.jobs().submit("wait", Wait())
    process = workers.spawn("runner_project.py", "all")
    workers.until_left("start wait")

    until(lambda: interrupted(process))

    assert process.returncode == -signal.SIGINT, workers.logged()
    (task,) = workers.tasks(job)
    assert (task.state, [attempt.outcome for attempt in task.attempts]) == ("QUEUED", ["given_back"])
    found = client.jobs().find(job)
    assert (found.canceled, found.state) == (False, JobState.STARTED)
    assert workers.query("select retries, crashes from tbx.tasks") == [(0, 0)]


@pytest.mark.system
@pytest.mark.parametrize(("twice", "grace"), [(True, "25"), (False, "0.5")], ids=["twice", "grace"])
def test_a_terminated_run_all_gives_the_running_task_back(
    workers: Workers, client: Client, twice: bool, grace: str
) -> None:
    """SIGTERM twice, or once and the grace: the process ends by a signal, the task is queued and costs no retry."""
    job = client.jobs().submit("wait", [Wait(), Line("next")])
    process = workers.spawn("runner_project.py", "all", TILEBOX_CELERY_GRACE=grace)
    workers.until_left("start wait")

    process.terminate()
    if twice:
        time.sleep(0.2)
        process.terminate()

    assert process.wait(20) == (-signal.SIGTERM if twice else -signal.SIGKILL), workers.logged()
    until(lambda: {str(task.state) for task in workers.tasks(job)} == {"QUEUED"})
    assert [a.outcome for task in workers.tasks(job) for a in task.attempts] == ["given_back"]
    assert workers.query("select sum(retries), sum(crashes) from tbx.tasks") == [(0, 0)]


@pytest.mark.system
def test_a_terminated_run_all_ends_its_task_and_goes(workers: Workers, client: Client) -> None:
    """SIGTERM once: the running task is computed, the next is not started, and the process ends by the signal."""
    job = client.jobs().submit("wait", [Wait(), Line("next")])
    process = workers.spawn("runner_project.py", "all")
    workers.until_left("start wait")

    process.terminate()
    time.sleep(0.3)
    Path(workers.environment["EFFECTS"] + ".go").touch()

    assert process.wait(20) == -signal.SIGTERM, workers.logged()
    assert workers.effects() == ["start wait", "end wait"]
    assert sorted(str(task.state) for task in workers.tasks(job)) == ["COMPUTED", "QUEUED"]


@pytest.mark.system
def test_long_run_all_gets_a_keeper(workers: Workers, client: Client) -> None:
    """A task of run_all may be longer than the lease, and a killed run_all is noticed at once by its keeper."""
    job = client.jobs().submit("wait", Wait())
    process = workers.spawn("runner_project.py", "all")
    workers.until_left("start wait")
    ((first,),) = workers.query("select until from tbx.leases order by slot_id desc limit 1")
    until(lambda: workers.query("select 1 from tbx.leases where until > %s", first))

    process.kill()

    until(lambda: [a.outcome for task in workers.tasks(job) for a in task.attempts] == ["lost"], 20)


@pytest.mark.system
@pytest.mark.clause("1.4-14")
def test_task_of_a_silent_runner_goes_to_another(
    workers: Workers, client: Client, connection: Connection, clock: DatabaseClock
) -> None:
    """A runner that died without a keeper is silent: its task is queued after the lease, and another runs it."""

    class Survivor(Task):
        @staticmethod
        def identifier() -> tuple[str, str]:
            return "Dies", "v0.0"

        def execute(self, context: ExecutionContext) -> None:
            assert context.current_task.attempt == 2

    job = client.jobs().submit("dies", Dies())
    assert workers.spawn("runner_project.py", "all").wait(60) == -signal.SIGKILL
    assert client.jobs().find(job).state is JobState.RUNNING

    clock.advance(timedelta(seconds=31))
    runners.sweep(connection)  # as every worker does each second
    client.runner(tasks=[Survivor]).run_all()

    assert client.jobs().find(job).state is JobState.COMPLETED
    assert [a.outcome for task in workers.tasks(job) for a in task.attempts] == ["lost", "computed"]


@pytest.mark.clause("1.4-14")
@pytest.mark.clause("1.4-19")
def test_ten_silent_runners_are_forgiven(
    client: Client, cluster: Cluster, connection: Connection, clock: DatabaseClock
) -> None:
    """A task comes back from ten runners that fell silent, beside its own retries; the eleventh makes it FAILED."""
    job = client.jobs().submit("unlucky", Line("unlucky"), max_retries=1)
    states = []

    for _ in range(11):
        claim_and_fall_silent(connection, cluster, "Line")
        clock.advance(timedelta(seconds=31))
        runners.sweep(connection)
        clock.advance(timedelta(seconds=31))
        runners.sweep(connection)
        states += [str(task.state) for task in client.jobs().tasks(job)]

    assert states == ["QUEUED"] * 10 + ["FAILED"]
    assert connection.execute("select retries, crashes from tbx.tasks").fetchall() == [(0, 10)]
    assert client.jobs().retry(job) == 1
    assert connection.execute("select retries, crashes from tbx.tasks").fetchall() == [(0, 0)]


def interrupted(process: subprocess.Popen[bytes]) -> bool:
    """Press Ctrl-C, unless the process has ended."""
    if process.poll() is not None:
        return True
    process.send_signal(signal.SIGINT)
    try:
        process.wait(0.3)
    except subprocess.TimeoutExpired:
        return False
    return True


def claim_and_fall_silent(connection: Connection, cluster: Cluster, name: str) -> None:
    """Be a runner that takes a task and is never heard of again."""
    runner_id = runners.register_runner(
        connection,
        cluster.slug,
        [TaskIdentifier(name, "v0.0")],
        name="silent",
        host="testhost",
        pid=1,
        code_version="0",
        wake_by="none",
        slots=1,
    )
    slot_id = runners.register_slot(connection, runner_id, 0, 1, timedelta(seconds=30), busy=True)
    answer = SlotCalls(connection, slot_id).claim(Wish(new_claim_id(), 0, 1, 1, (), ()))
    assert len(answer.tasks) == 1
