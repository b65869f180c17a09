"""What a task has started ends with the process that ran it, on all pools."""

import os
import signal
import time

import psutil
import pytest
from fleet import Fleet, is_dead, until
from workflow import Program

from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("pool", "end"),
    [
        *[(pool, end) for pool in ("prefork", "threads", "solo") for end in ("worker killed", "second signal")],
        ("prefork", "slot killed"),
    ],
)
def test_a_program_does_not_outlive_its_attempt(fleet: Fleet, client: Client, pool: str, end: str) -> None:
    """The worker or its slot is killed, or its drain ends by force: the program of its task runs beside no other."""
    worker = fleet.start("--pool", pool, "--concurrency", "1")
    job = client.jobs().submit("program", Program())
    _, program, _, slot = fleet.until_left("program").split()
    started = psutil.Process(int(program))
    time.sleep(1.2)  # the keeper looks twice a second

    match end:
        case "worker killed":
            worker.kill()
        case "slot killed":
            os.kill(int(slot), signal.SIGKILL)
        case _:
            worker.terminate()
            time.sleep(0.2)
            worker.terminate()
    until(lambda: is_dead(started), 10)
    if end != "slot killed":
        worker.wait(15)
        fleet.start("--pool", pool, "--concurrency", "1")

    assert job.wait(30).state == "COMPLETED"
    assert fleet.effects()[1:] == ["alone"]
    fleet.check_ledger()
