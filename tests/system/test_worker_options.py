"""Options of stock Celery workers that do not fit a worker whose messages are no tasks."""

import subprocess
import sys

import pytest
from fleet import HERE, Fleet, until
from workflow import Fan

from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system
CELERY = [sys.executable, "-m", "celery", "-A", "workflow:app"]
WORKER = [*CELERY, "worker", "--loglevel", "WARNING"]


@pytest.mark.parametrize("limits", [("--soft-time-limit", "1"), ("--time-limit", "1")], ids=["soft", "hard"])
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_time_limits_hurt_nobody_and_say_so(fleet: Fleet, client: Client, pool: str, limits: tuple[str, ...]) -> None:
    """Tasks that take longer together than a time limit of Celery all run once, and the worker says why."""
    fleet.run([*WORKER, "-c", "1", "--pool", pool, *limits])

    job = client.jobs().submit("fan", Fan(4, 0.6)).wait(30)

    assert job.state == "COMPLETED"
    assert fleet.logged().count("time limits are not enforced by this worker") == 1
    fleet.check_effects(*map(str, range(4)), "join")
    fleet.check_ledger()


def test_a_pool_grows_as_far_as_its_pages(fleet: Fleet, client: Client) -> None:
    """`pool_grow 40` is refused in one sentence, `pool_grow 2` gives two more slots, and the worker goes on."""
    fleet.run([*WORKER, "-c", "1"])

    until(lambda: "pong" in answer(fleet, "inspect", "ping"))  # it hears commands a little later
    refused = control(fleet, "pool_grow", "40")
    grown = control(fleet, "pool_grow", "2")
    until(lambda: fleet.query("select count(*) from tbx.slots where state <> 'gone'") == [(3,)])
    job = client.jobs().submit("fan", Fan(12, 0.2)).wait(30)

    assert "This worker can have 18 slots at most, and has 1" in refused
    assert "pool will grow" in grown
    assert job.state == "COMPLETED"
    assert "unpack_from" not in fleet.logged()
    fleet.check_effects(*map(str, range(12)), "join")
    fleet.check_ledger()


def test_autoscale_gives_all_slots_and_says_so(fleet: Fleet, client: Client) -> None:
    """`--autoscale 3,1` works with three slots from the start, since Celery would count messages and never add one."""
    fleet.run([*WORKER, "--autoscale", "3,1"])

    job = client.jobs().submit("fan", Fan(9, 0.3)).wait(30)

    assert job.state == "COMPLETED"
    assert fleet.query("select count(distinct slot_id) from tbx.attempts") == [(3,)]
    assert fleet.logged().count("--autoscale 3,1 gives 3 slots from the start") == 1
    fleet.check_effects(*map(str, range(9)), "join")
    fleet.check_ledger()


def control(fleet: Fleet, *words: str) -> str:
    """Return what the workers answer to ``celery control``."""
    return answer(fleet, "control", "--timeout", "2", *words)


def answer(fleet: Fleet, *words: str) -> str:
    """Return what a command of Celery prints."""
    command = [*CELERY, *words]
    done = subprocess.run(command, cwd=HERE, env=fleet.environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
