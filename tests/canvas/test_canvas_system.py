"""Canvas jobs on a real Celery worker with a pool of processes, started by the stock command."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from canvas_project import flaky, hold, kept, mul, pack, total
from celery import chain, chord, group

from tilebox_celery.client.client import Client
from tilebox_celery.embedded import Stack
from tilebox_celery.model.cluster import Cluster

pytestmark = pytest.mark.system
HERE = Path(__file__).parent


@pytest.fixture
def worker(client: Client, cluster: Cluster, stack: Stack, tmp_path: Path) -> Iterator[psutil.Process]:
    """A worker with two processes, which knows the project's tasks; the project's own broker is away."""
    log = tmp_path / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "canvas_worker:app", "worker", "-c", "2", "--pool", "prefork"],
            cwd=HERE,
            env={**os.environ, "TILEBOX_CELERY_BROKER_URL": stack.broker_url},
            stdout=output,
            stderr=output,
        )
    yield psutil.Process(process.pid)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    assert process.returncode == 0, log.read_text()[-3000:]


def test_a_nested_canvas_runs_on_a_pool_of_processes(client: Client, worker: psutil.Process) -> None:
    """Fan-out, join, retries with a delay, chunks: with results passed between processes."""
    squares = chord([chain(kept.s(i), mul.s(i)) for i in range(20)], total.s())
    canvas = chain(
        group(squares, flaky.s(1, 2, countdown=0.05), kept.chunks([(i,) for i in range(10)], 3)), pack.s("end")
    )

    job = client.jobs().submit_canvas("nested", canvas)

    assert job.wait(90).state == "COMPLETED"
    expected = [sum(i * i for i in range(20)), 1, [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]]
    assert client.jobs().result(job) == [expected, "end"]


def test_a_canvas_survives_the_death_of_a_process(client: Client, worker: psutil.Process, tmp_path: Path) -> None:
    """The results before are kept, the task that was lost runs again, and its crash is no retry of Celery's."""
    started = tmp_path / "started"
    job = client.jobs().submit_canvas("killed", chain(kept.s(20), hold.s(str(started)), mul.s(2)))
    os.mkfifo(started)
    pid = int(started.read_text())

    os.kill(pid, signal.SIGKILL)
    started.unlink()
    started.touch()

    assert job.wait(90).state == "COMPLETED"
    assert client.jobs().result(job) == 42
    held = client.jobs().tasks(job)[1]
    assert [attempt.outcome for attempt in held.attempts] == ["lost", "computed"]
