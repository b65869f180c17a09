"""Children of a prefork pool rest in their loops: they are woken past the pool, die, drain and shrink from there."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest
from fleet import HERE, Fleet, is_dead, until
from workflow import Fan, Step

from tilebox_celery.settings import Settings
from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system
CELERY = [sys.executable, "-m", "celery", "-A", "workflow:app"]
WORKER = [*CELERY, "worker", "--loglevel", "WARNING"]


def wait_until_at_rest(fleet: Fleet) -> None:
    """Wait until every slot is idle."""
    until(lambda: fleet.query("select bool_and(state = 'idle') from tbx.slots where state <> 'gone'")[0][0])


def ask(fleet: Fleet, *words: str) -> str:
    """Return what a command of Celery prints."""
    done = subprocess.run(
        [*CELERY, *words], cwd=HERE, env=fleet.environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


@pytest.fixture
def client(ledger_url: str, broker_url: str) -> Iterator[Client]:
    """A client that can send messages too."""
    with_broker = Client(settings=Settings(ledger_url=ledger_url, broker_url=broker_url))
    yield with_broker
    with_broker.close()


@pytest.mark.parametrize("wake_by", ["notify", "broker"])
def test_jobs_take_no_turn_through_the_pool(fleet: Fleet, client: Client, wake_by: str) -> None:
    """Once each child is in its loop, thirty jobs send nothing through the pool, and the worker still ends at once."""
    worker = fleet.run([*WORKER, "-c", "2"], TILEBOX_CELERY_WAKE_BY=wake_by)
    until(lambda: "pong" in ask(fleet, "inspect", "ping"))

    def writes() -> int:
        answer = ask(fleet, "inspect", "stats", "--json")
        (stats,) = json.loads(answer[answer.index("{") :].splitlines()[0]).values()
        return int(stats["pool"]["writes"]["total"])

    client.jobs().submit("both", Fan(20, 0.05)).wait(30)
    wait_until_at_rest(fleet)
    before = writes()
    for number in range(30):
        client.jobs().submit("step", Step(f"step {number}")).wait(20)
    after = writes()
    begun = time.monotonic()
    worker.terminate()
    code = worker.wait(20)

    assert before == after < 10
    assert code == 0
    assert time.monotonic() - begun < 4
    fleet.check_ledger()


def test_a_child_killed_at_rest_holds_nobody_up(fleet: Fleet, client: Client) -> None:
    """kill -9 of a resting child, then a job at once, five times: each is done long before a lease is over."""
    worker = fleet.run([*WORKER, "-c", "2"], TILEBOX_CELERY_LEASE="60")
    until(lambda: "pong" in ask(fleet, "inspect", "ping"))  # until then Celery takes a dead child for a bad start
    longest = 0.0
    for number in range(5):
        wait_until_at_rest(fleet)
        os.kill(fleet.slots(worker)[number % 2].pid, signal.SIGKILL)
        begun = time.monotonic()
        assert client.jobs().submit("step", Step(f"{number}")).wait(30).state == "COMPLETED"
        longest = max(longest, time.monotonic() - begun)
        until(lambda: len(fleet.slots(worker)) == 2)

    assert longest < 20
    fleet.check_effects(*map(str, range(5)))
    fleet.check_ledger()


def test_resting_children_end_with_their_parent(fleet: Fleet, client: Client) -> None:
    """kill -9 of keeper and worker in one breath: no child is left behind."""
    worker = fleet.run([*WORKER, "-c", "2"])
    client.jobs().submit("fan", Fan(4)).wait(30)
    wait_until_at_rest(fleet)
    children = fleet.slots(worker)
    keeper = until(lambda: fleet.keeper(worker))

    keeper.kill()
    worker.kill()

    until(lambda: all(map(is_dead, children)), 20)
    assert len(children) == 2


def test_a_pool_at_rest_shrinks(fleet: Fleet, client: Client) -> None:
    """`pool_shrink 2` of three leaves one slot that works; more than there are, or while all work, is one sentence."""
    worker = fleet.run([*WORKER, "-c", "3"])
    until(lambda: "pong" in ask(fleet, "inspect", "ping"))
    client.jobs().submit("fan", Fan(9, 0.1)).wait(30)
    wait_until_at_rest(fleet)

    too_many = ask(fleet, "control", "--timeout", "2", "pool_shrink", "4")
    shrunk = ask(fleet, "control", "--timeout", "2", "pool_shrink", "2")
    until(lambda: fleet.query("select count(*) from tbx.slots where state <> 'gone'") == [(1,)])
    (left,) = fleet.slots(worker)
    job = client.jobs().submit("after", Fan(4, 0.0, "after"))

    assert "This worker has 3 of 3 slots at rest: shrink it by fewer" in too_many
    assert "pool will shrink" in shrunk
    assert job.wait(30).state == "COMPLETED"
    long = client.jobs().submit("long", Step("long", 4.0))
    fleet.until_left("start long")
    assert "This worker has 0 of 1 slots at rest" in ask(fleet, "control", "--timeout", "2", "pool_shrink", "1")
    assert long.wait(30).state == "COMPLETED"
    assert psutil.pid_exists(left.pid)
    fleet.check_ledger()
