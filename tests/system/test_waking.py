"""Wake-ups reach idle workers; lost listeners, several sweepers, and dead or stopped keepers are made good."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
from fleet import LEASE_SECONDS, Fleet, until
from workflow import Fan, Step

from tilebox_celery.ledger.runners import sweep
from tilebox_celery.postgres.connection import connect
from tilebox_celery.settings import Settings
from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system
LONG_LEASE = {"TILEBOX_CELERY_LEASE": "120"}


@pytest.fixture
def client(ledger_url: str, broker_url: str) -> Iterator[Client]:
    """A client that can send messages too."""
    with_broker = Client(settings=Settings(ledger_url=ledger_url, broker_url=broker_url))
    yield with_broker
    with_broker.close()


def keepers(fleet: Fleet) -> list[psutil.Process]:
    """Return the keepers of all workers, once each has one."""
    return [until(lambda worker=worker: fleet.keeper(worker)) for worker in fleet.workers]


def wait_until_idle(fleet: Fleet) -> None:
    """Wait until every slot is idle."""
    until(lambda: fleet.query("select bool_and(state = 'idle') from tbx.slots where state <> 'gone'")[0][0])


@pytest.mark.parametrize("wake_by", ["notify", "broker"])
def test_no_wake_up_of_a_burst_is_lost(fleet: Fleet, client: Client, wake_by: str) -> None:
    """With the keepers stopped nobody sweeps: submits in bursts, at random times, still start every job."""
    fleet.start(TILEBOX_CELERY_WAKE_BY=wake_by, **LONG_LEASE)
    wait_until_idle(fleet)
    for keeper in keepers(fleet):
        keeper.suspend()
    dice = random.Random(11)

    names: list[str] = []
    for number in range(40):
        burst = [f"{number}.{i}" for i in range(dice.choice([1, 1, 2, 5]))]
        names += burst
        jobs = [client.jobs().submit("step", Step(name)) for name in burst]
        if dice.random() < 0.5:
            jobs[-1].wait(20)
        time.sleep(dice.random() * 0.01)  # the race between a slot that falls asleep and a publisher
    until(lambda: fleet.query("select count(*) from tbx.jobs where finished_at is null") == [(0,)], 30)

    fleet.check_effects(*names)
    fleet.check_ledger()


def test_a_listener_that_lost_its_connection_listens_again(fleet: Fleet, client: Client) -> None:
    """The listener's connection is ended in mid-job: the job goes on, and NOTIFY alone wakes the worker again."""
    listeners = (
        "select pid from pg_stat_activity where application_name = 'tilebox-celery listener'"
        " and datname = current_database() and wait_event = 'ClientRead'"
    )
    fleet.start(**LONG_LEASE)
    job = client.jobs().submit("fan", Fan(8, 0.1))
    fleet.until_left("start")

    [(before,)] = until(lambda: fleet.query(listeners))
    fleet.query("select pg_terminate_backend(%s)", before)
    until(lambda: [pid for (pid,) in fleet.query(listeners) if pid != before])

    assert job.wait(30).state == "COMPLETED"
    wait_until_idle(fleet)
    keepers(fleet)[0].suspend()
    assert client.jobs().submit("fan", Fan(3, 0.0, "after")).wait(10).state == "COMPLETED"
    fleet.check_ledger()


def test_many_sweepers_do_no_harm(fleet: Fleet, client: Client, ledger_url: str) -> None:
    """Two keepers and four more sweepers at the same time: every task runs once."""
    fleet.start()
    fleet.start()
    over = threading.Event()
    swept: list[int] = []

    def sweep_on() -> None:
        with connect(ledger_url) as connection:
            while not over.is_set():
                sweep(connection)
                swept.append(1)

    threads = [threading.Thread(target=sweep_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        job = client.jobs().submit("fan", Fan(40, 0.05)).wait(60)
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert job.state == "COMPLETED"
    assert len(swept) > 40
    fleet.check_effects(*map(str, range(40)), "join")
    fleet.check_ledger()


def test_a_sweeper_that_hangs_stops_nobody(fleet: Fleet, client: Client, ledger_url: str) -> None:
    """While a session holds the sweep's lock, other sweepers go past it and workers go on."""
    fleet.start()
    with connect(ledger_url) as hanging, connect(ledger_url) as other, hanging.transaction():
        hanging.execute("select pg_advisory_xact_lock(7413, 0)")

        begun = time.monotonic()
        answer = sweep(other)
        took = time.monotonic() - begun
        job = client.jobs().submit("fan", Fan(6)).wait(30)

        assert (answer.wake_ups, job.state) == ([], "COMPLETED")
        assert took < 1.0


def test_a_killed_keeper_is_replaced_within_the_lease(fleet: Fleet, client: Client) -> None:
    """kill -9 of the keeper during a task of two leases: another keeper renews the lease, nothing runs again."""
    worker = fleet.start("--concurrency", "1")
    job = client.jobs().submit("long", Step("long", 2 * LEASE_SECONDS))
    fleet.until_left("start long")
    [first] = keepers(fleet)

    first.kill()
    second = until(lambda: (found := fleet.keeper(worker)) and found.pid != first.pid and found)

    assert job.wait(30).state == "COMPLETED"
    assert second.is_running()
    assert [a.outcome for task in fleet.tasks(job) for a in task.attempts] == ["computed"]
    fleet.check_effects("long")


def test_a_stopped_keeper_loses_the_lease_and_nothing_is_committed_twice(fleet: Fleet, client: Client) -> None:
    """Nobody renews the lease of a worker with a stopped keeper: another does its task, its report is refused."""
    for _ in range(2):
        fleet.start("--concurrency", "1")
    job = client.jobs().submit("long", Step("long", LEASE_SECONDS + 4))
    pid = int(fleet.until_left("start long").split()[2])
    first, second = sorted(fleet.workers, key=lambda one: pid not in {slot.pid for slot in fleet.slots(one)})
    keeper = fleet.keeper(first)
    assert keeper is not None
    os.kill(keeper.pid, signal.SIGSTOP)

    assert job.wait(60).state == "COMPLETED"
    until(lambda: fleet.count("end long") == 2)

    outcomes = [a.outcome for task in fleet.tasks(job) for a in task.attempts]
    assert outcomes == ["lost", "computed"]
    os.kill(keeper.pid, signal.SIGCONT)
    second.terminate()
    second.wait(20)
    assert client.jobs().submit("after", Fan(3)).wait(30).state == "COMPLETED"
    assert first.poll() is None
    fleet.check_ledger()
