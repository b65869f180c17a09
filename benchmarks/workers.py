"""Start workers as users do, wait until they are ready, and stop them; every wait has an end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import ProcessTree
from benchmarks.stack import Servers

ROOT = Path(__file__).parent.parent
OURS = "benchmarks.tasks:app"
CANVAS = "benchmarks.canvas_tasks:app"
LOG = Path.cwd() / ".bench" / "workers.log"
READY_SECONDS = 120.0


@contextmanager
def ledger_worker(
    servers: Servers, *options: str, cluster: str = "dev-cluster", slots: int = 2, **variables: str
) -> Iterator[ProcessTree]:
    """Run a worker of ours whose slots are idle when the body begins."""
    environment = {**servers.environment, "BENCHMARK_CLUSTER": cluster, **variables}
    with servers.connect() as connection:
        row = connection.execute("select coalesce(max(id), 0) from tbx.slots").fetchone()
        assert row is not None, "an aggregate gives a row"
        last = row[0]

        def is_ready() -> bool:
            found = connection.execute(
                "select count(*) from tbx.slots s join tbx.clusters c on c.id = s.cluster_id"
                " where s.id > %s and s.state = 'idle' and c.slug = %s",
                (last, cluster),
            ).fetchone()
            return found is not None and found[0] >= slots

        with _worker(OURS, environment, slots, options, is_ready) as tree:
            yield tree


@contextmanager
def canvas_worker(servers: Servers, slots: int = 2) -> Iterator[ProcessTree]:
    """Run a plain Celery worker that answers when the body begins."""
    from benchmarks import canvas_tasks

    canvas_tasks.app.control.purge()

    def is_ready() -> bool:
        return bool(canvas_tasks.app.control.ping(timeout=0.5))

    with _worker(CANVAS, servers.environment, slots, (), is_ready) as tree:
        yield tree


@contextmanager
def _worker(
    app: str, environment: dict[str, str], slots: int, options: tuple[str, ...], is_ready: Callable[[], bool]
) -> Iterator[ProcessTree]:
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        app,
        "worker",
        "-c",
        str(slots),
        "--pool",
        "prefork",
        "-l",
        "WARNING",
    ]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat", *options]
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=ROOT, env={**os.environ, **environment}, start_new_session=True
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready():
            if process.poll() is not None:
                raise RuntimeError(f"the worker of {app} ended with {process.returncode}; see {LOG}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"the worker of {app} was not ready within {READY_SECONDS:.0f} s; see {LOG}")
            time.sleep(0.05)
        yield ProcessTree(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
