"""What happens when processes are killed, stopped and drained."""

import os
import signal
import time
from datetime import timedelta

import pytest
from fleet import LEASE_SECONDS, Fleet, until
from workflow import Fan, HoldTheGil, Poison, PoisonedBatch, Row, Step

from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system


def test_a_killed_pool_child_costs_one_attempt(fleet: Fleet, client: Client) -> None:
    """kill -9 of a pool child: its task runs again at once, all others run once."""
    fleet.start()
    job = client.jobs().submit("fan", Fan(6, 0.4))
    pid = int(fleet.until_left("start").split()[2])

    os.kill(pid, signal.SIGKILL)

    assert job.wait(30).state == "COMPLETED"
    outcomes = sorted(a.outcome for task in fleet.tasks(job) for a in task.attempts if a.outcome != "given_back")
    assert outcomes == ["computed"] * 8 + ["lost"]
    fleet.check_effects(*map(str, range(6)), "join", once=False)
    fleet.check_ledger()


def test_a_killed_worker_is_noticed_long_before_its_lease(fleet: Fleet, client: Client) -> None:
    """kill -9 of the whole worker: its keeper gives the tasks to another worker within a lease."""
    first = fleet.start()
    job = client.jobs().submit("fan", Fan(4, 1.0))
    fleet.until_left("start")

    first.kill()
    killed = time.monotonic()
    until(lambda: fleet.query("select 1 from tbx.attempts where outcome = 'lost'"))
    noticed = time.monotonic() - killed
    fleet.start()

    assert job.wait(30).state == "COMPLETED"
    assert noticed < LEASE_SECONDS
    fleet.check_effects(*map(str, range(4)), "join", once=False)
    fleet.check_ledger()


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_other_pools_recover_too(fleet: Fleet, client: Client, pool: str) -> None:
    """Threads and solo have no child; a killed worker's tasks come back all the same."""
    first = fleet.start("--pool", pool)
    job = client.jobs().submit("fan", Fan(3, 0.6))
    fleet.until_left("start")

    first.kill()
    fleet.start("--pool", pool)

    assert job.wait(30).state == "COMPLETED"
    fleet.check_effects(*map(str, range(3)), "join", once=False)
    fleet.check_ledger()


def test_a_stopped_child_loses_its_lease_and_changes_nothing_when_it_wakes(fleet: Fleet, client: Client) -> None:
    """SIGSTOP past the lease, another slot computes the task, SIGCONT: the zombie's report is refused."""
    fleet.start()
    job = client.jobs().submit("row", Row(1, 0.5))
    zombie = int(fleet.until_left("start").split()[2])
    os.kill(zombie, signal.SIGSTOP)

    job = job.wait(30)
    os.kill(zombie, signal.SIGCONT)
    until(lambda: fleet.count(f"end 0 {zombie}"))

    assert job.state == "COMPLETED"
    again = client.jobs().submit("after", Fan(4)).wait(30)
    assert again.state == "COMPLETED"
    assert fleet.count("end 0") >= 2
    fleet.check_effects(*map(str, range(4)), "join", once=False)
    fleet.check_ledger()


def test_a_task_that_holds_the_gil_keeps_its_lease(fleet: Fleet, client: Client) -> None:
    """Computing in C for two leases loses nothing: the keeper's heartbeats go on."""
    fleet.start("--pool", "threads", "--concurrency", "1")
    job = client.jobs().submit("gil", HoldTheGil(2 * LEASE_SECONDS))

    job = job.wait(60)

    assert job.state == "COMPLETED"
    assert [a.outcome for task in fleet.tasks(job) for a in task.attempts] == ["computed"]
    fleet.check_effects("gil")
    fleet.check_ledger()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drained_worker_ends_its_task_and_leaves_with_zero(fleet: Fleet, client: Client, number: int) -> None:
    """The first signal: the running task ends, nothing else starts, exit code 0."""
    worker = fleet.start("--concurrency", "1")
    job = client.jobs().submit("row", Row(3, 0.8))
    fleet.until_left("start 0")

    worker.send_signal(number)

    assert worker.wait(20) == 0
    assert fleet.count("start 1") == 0
    fleet.check_effects("0")
    assert {a.outcome for task in fleet.tasks(job) for a in task.attempts} == {"computed"}
    fleet.check_ledger()


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGQUIT,)])
def test_a_second_signal_gives_the_running_task_back_at_once(
    fleet: Fleet, client: Client, numbers: tuple[int, ...]
) -> None:
    """The second signal, or SIGQUIT: the task goes back without costing a retry or a crash, exit code 0."""
    worker = fleet.start("--concurrency", "1")
    job = client.jobs().submit("long", Step("long", 60.0))
    fleet.until_left("start long")

    for number in numbers:
        worker.send_signal(number)
        time.sleep(0.2)

    assert worker.wait(15) == 0
    (task,) = fleet.tasks(job)
    assert (task.state, [a.outcome for a in task.attempts]) == ("QUEUED", ["given_back"])
    assert fleet.query("select retries, crashes from tbx.tasks") == [(0, 0)]
    assert (fleet.count("start long"), fleet.count("end long")) == (1, 0)
    fleet.check_ledger()


def test_the_grace_of_a_drain_ends(fleet: Fleet, client: Client) -> None:
    """A task that outlives the grace is given back, and the worker leaves."""
    worker = fleet.start("--concurrency", "1", TILEBOX_CELERY_GRACE="1")
    job = client.jobs().submit("long", Step("long", 60.0))
    fleet.until_left("start long")

    worker.terminate()

    assert worker.wait(15) == 0
    assert [a.outcome for task in fleet.tasks(job) for a in task.attempts] == ["given_back"]
    assert (fleet.count("start long"), fleet.count("end long")) == (1, 0)
    fleet.check_ledger()


def test_a_poison_in_a_batch_hurts_itself_alone(fleet: Fleet, client: Client) -> None:
    """One task of 64 kills its process each time: 63 are computed, it alone fails, after ten crash retries."""
    fleet.start()
    client.jobs().submit("learn the pace", Fan(40)).wait(30)
    job = client.jobs().submit("poisoned", PoisonedBatch(64))

    def run_again() -> bool:
        fleet.query("update tbx.tasks set run_after = now() - interval '1 second' where phase = 'd' returning 1")
        return bool(client.jobs().find(job).state == "FAILED")

    until(run_again, 100)

    states = [task.state for task in fleet.tasks(job) if task.identifier.name == "Step"]
    (poison,) = [task for task in fleet.tasks(job) if task.identifier.name == "Poison"]
    assert states.count("COMPUTED") == 63
    assert poison.state == "FAILED"
    assert sum(a.outcome == "lost" for a in poison.attempts) == fleet.count("poison") == 11
    fleet.check_effects(*(str(i) for i in range(64) if i != 32), once=False)
    fleet.check_ledger()


def test_tasks_behind_a_long_one_go_to_others(fleet: Fleet, client: Client) -> None:
    """What a slot has claimed behind a task that turns out long is taken by another slot."""
    fleet.start()
    client.jobs().submit("learn the pace", Fan(40)).wait(30)
    job = client.jobs().submit("mixed", Fan(1, 8.0, "long"))
    fleet.until_left("start long0")

    quick = client.jobs().submit("quick", Fan(30)).wait(timedelta(seconds=6))

    assert quick.state == "COMPLETED"
    assert client.jobs().find(job).state == "RUNNING"
    client.jobs().cancel(job)
    fleet.check_effects(*map(str, range(30)), "join", once=False)
    fleet.check_ledger()


def test_poison_is_named(fleet: Fleet, client: Client) -> None:
    """A task whose process was killed says so in its attempts."""
    fleet.start("--concurrency", "1")
    job = client.jobs().submit("poison", Poison())
    until(lambda: fleet.query("select 1 from tbx.attempts where outcome = 'lost'"))

    (task,) = fleet.tasks(job)

    assert task.attempts[0].error == "process killed"
    assert fleet.count("poison") >= 1
    client.jobs().cancel(job)
    until(lambda: client.jobs().find(job).state == "CANCELED")
    fleet.check_ledger()
