"""Postgres is restarted, crashes and drops connections in mid-job: jobs are completed, every counter right."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
from fleet import Fleet, is_dead, until
from workflow import Fan, Step

from tilebox_celery.embedded import down, status
from tilebox_celery.errors import LedgerUnavailable
from tilebox_celery.settings import Settings
from tilebox_celery.testing import LedgerFactory
from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerFactory]:
    """Servers that no other test uses."""
    home = tmp_path_factory.mktemp("servers")
    yield LedgerFactory(home)
    down(home)


@pytest.fixture
def fleet(ledgers: LedgerFactory, tmp_path: Path) -> Iterator[Fleet]:
    """Workers on a ledger of these servers."""
    with ledgers.ledger() as url:
        client = Client(settings=Settings(ledger_url=url, broker_url=ledgers.stack.broker_url))
        client.clusters().create("testing")
        fleet = Fleet(client, url, ledgers.stack.broker_url, tmp_path)
        yield fleet
        ledgers.stack  # noqa: B018 # up again, so that the workers can leave
        fleet.stop()
        client.close()


@contextmanager
def stopped(ledgers: LedgerFactory) -> Iterator[None]:
    """Stop every process of Postgres: whoever asks it gets neither an answer nor a refusal."""
    postmaster = psutil.Process(status(ledgers.home).postgres_pid)
    everybody = [postmaster, *postmaster.children(recursive=True)]
    for process in everybody:
        process.suspend()
    try:
        yield
    finally:
        for process in everybody:
            process.resume()


def state_of(fleet: Fleet, job: object) -> str | None:
    """Return the state of a job; None while the ledger cannot be asked."""
    try:
        return str(fleet.client.jobs().find(job).state)  # type: ignore[arg-type] # a Job
    except LedgerUnavailable:
        return None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_postgres_goes_and_comes_back_in_mid_job(fleet: Fleet, ledgers: LedgerFactory, number: int) -> None:
    """A fast restart, and kill -9 of the server, twice in a job on two workers: all steps done, all counters right."""
    down(ledgers.home)  # a supervisor gives up when servers die four times in a row: this one has seen none yet
    ledgers.stack  # noqa: B018 # starts them
    fleet.start()
    fleet.start("--pool", "threads")
    job = fleet.client.jobs().submit("fan", Fan(60, 0.1))

    for ended in (5, 25):
        until(lambda ended=ended: fleet.count("end") >= ended)
        postmaster = status(ledgers.home).postgres_pid
        assert postmaster is not None
        os.kill(postmaster, number)
        until(lambda gone=postmaster: status(ledgers.home).postgres_pid not in (None, gone))
    until(lambda: state_of(fleet, job) == "COMPLETED")

    fleet.check_effects(*map(str, range(60)), "join", once=False)
    assert {task.state for task in fleet.tasks(job)} == {"COMPUTED"}
    assert all(worker.poll() is None for worker in fleet.workers)
    fleet.check_ledger()
    assert fleet.client.jobs().submit("after", Fan(4)).wait(30).state == "COMPLETED"


def test_connections_that_break_at_any_moment_lose_nothing(fleet: Fleet) -> None:
    """Slots, listeners and keepers lose their connections again and again: each step is committed once."""
    fleet.start()
    fleet.start("--pool", "threads")
    job = fleet.client.jobs().submit("fan", Fan(60, 0.05))
    dice = random.Random(3)

    for ended in range(3, 60, 6):
        until(lambda ended=ended: fleet.count("end") >= ended)
        pids = fleet.query(
            "select pid from pg_stat_activity where application_name like 'tilebox-celery %%'"
            " and application_name <> 'tilebox-celery' and datname = current_database() and %s",
            True,
        )
        fleet.query("select pg_terminate_backend(%s)", dice.choice(pids)[0])

    assert job.wait(60).state == "COMPLETED"
    fleet.check_effects(*map(str, range(60)), "join", once=False)
    fleet.check_ledger()


@pytest.mark.parametrize(
    ("pool", "end"),
    [
        ("prefork", "second signal"),
        ("threads", "grace"),
        pytest.param("threads", "second signal", marks=pytest.mark.long),
        pytest.param("solo", "second signal", marks=pytest.mark.long),
    ],
)
def test_a_silent_postgres_cannot_hold_a_worker_up(fleet: Fleet, ledgers: LedgerFactory, pool: str, end: str) -> None:
    """Postgres is stopped (SIGSTOP) in mid-task: the worker ends with its grace, and another runs the task later."""
    worker = fleet.start("--pool", pool, "--concurrency", "1", TILEBOX_CELERY_GRACE="2" if end == "grace" else "60")
    job = fleet.client.jobs().submit("step", Step("long", 6.0))
    fleet.until_left("start long")
    running = psutil.Process(int(fleet.until_left("start long").split()[2]))

    with stopped(ledgers):
        time.sleep(1.5)  # the keeper is in a call by now
        worker.terminate()
        if end == "second signal":
            time.sleep(0.2)
            worker.terminate()
        worker.wait(15)
        assert is_dead(running)
        assert fleet.count("end") == 0

    fleet.start("--pool", pool, "--concurrency", "1")
    assert job.wait(60).state == "COMPLETED"
    assert fleet.query("select crashes, retries from tbx.tasks") == [(0, 0)]
    (task,) = fleet.tasks(job)
    assert [a.outcome for a in task.attempts] == ["given_back", "computed"]
    fleet.check_effects("long", once=False)
    fleet.check_ledger()


def test_who_submits_while_postgres_is_down_gets_one_sentence(ledgers: LedgerFactory) -> None:
    """LedgerUnavailable names the ledger without its password and the next step; the client works again afterwards."""
    with ledgers.ledger() as url:
        secret = urlsplit(url)._replace(netloc="postgres:s3cret@").geturl()
        client = Client(settings=Settings(ledger_url=secret))
        client.clusters().create("testing")
        client.jobs().submit("up", Step("up"))

        down(ledgers.home)
        with pytest.raises(LedgerUnavailable) as caught:
            client.jobs().submit("down", Step("down"))

        text = str(caught.value)
        assert "s3cret" not in text
        assert "postgres:***@" in text
        assert "Is Postgres running" in text
        assert len(text.splitlines()) == 1
        ledgers.stack  # noqa: B018 # starts it again
        client.jobs().submit("up again", Step("up again"))
        with psycopg.connect(url) as connection:
            names = connection.execute("select name from tbx.jobs order by id").fetchall()
        assert names == [("up",), ("up again",)]
        client.close()
