"""What plain Celery sends on `runner.celery_app` becomes a job of one task, and refuses what no job can honour."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, chain, signature
from runner_project import TASKS

from tests.system.fleet import Fleet
from tilebox_celery.embedded import Stack
from tilebox_celery.errors import CanvasError, TaskNotRegistered
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.workflows import Client

HERE = Path(__file__).parent
CELERY = [sys.executable, "-m", "celery", "--workdir", str(HERE), "-A", "runner_project:app"]

theirs = Celery("theirs", set_as_current=False)


@theirs.task(bind=True, shared=False)
def look(self: Any, x: int, y: int = 0) -> list[Any]:
    """Return what a plain Celery task sees."""
    return [x, y, self.request.headers]


@pytest.fixture
def fleet(client: Client, cluster: Cluster, ledger_url: str, stack: Stack, tmp_path: Path) -> Iterator[Fleet]:
    """Workers on the ledger of this test and the broker of this run."""
    fleet = Fleet(client, ledger_url, stack.broker_url, tmp_path)
    yield fleet
    fleet.stop()


@pytest.mark.system
def test_a_task_that_is_sent_without_a_queue_runs(fleet: Fleet, client: Client) -> None:
    """`send_task`, `delay`, `apply_async`, a signature, `celery call`; the banner is true."""
    fleet.run([*CELERY, "worker", "-c", "1"])
    app = client.runner(tasks=TASKS).celery_app

    sent = [
        app.send_task("Line", args=["send_task"]),
        app.tasks["Line"].delay("delay", seconds=0.01),
        app.tasks["Line"].apply_async(("apply_async",)),
        signature("Line", ("signature",), app=app).apply_async(),
    ]
    called = subprocess.check_output(
        [*CELERY, "call", "Line", "--args", '["call"]'], env=fleet.environment, cwd=HERE, text=True
    )

    ids = [result.id for result in sent] + [called.split()[-1]]
    for job_id in ids:
        assert client.jobs().wait(job_id, 60).state == "COMPLETED", fleet.logged()[-3000:]
    fleet.check_effects("send_task", "delay", "apply_async", "signature", "call")
    assert len(list(client.jobs().query())) == len(ids)
    [[runner_id]] = fleet.query("select id from tbx.runners")
    queues = fleet.logged().partition("[queues]")[2].partition("[tasks]")[0]
    assert f"> tbx.{runner_id:x} " in queues
    assert queues.count(".>") == 1


def test_all_that_a_process_sends_goes_over_one_connection(
    client: Client, cluster: Cluster, connection: Connection
) -> None:
    """Twenty `delay()`s open one session, as do those of threads; it is opened again when the server ends it."""
    sessions = (
        "select pid from pg_stat_activity where application_name = 'tilebox-celery' and datname = current_database()"
    )
    line = client.runner(tasks=TASKS).celery_app.tasks["Line"]
    client.close()
    others = set(connection.execute(sessions).fetchall())

    pids = set()
    for number in range(10):
        line.delay(str(number))
        pids |= set(connection.execute(sessions).fetchall())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(line.delay, map(str, range(10, 20))))
    pids |= set(connection.execute(sessions).fetchall())
    ((first,),) = pids - others
    connection.execute("select pg_terminate_backend(%s)", (first,))
    line.delay("after")

    assert sum(1 for _ in client.jobs().query()) == 21


def test_a_plain_celery_task_is_sent_alike(client: Client, cluster: Cluster) -> None:
    """It sees its headers, and its result is that of the job."""
    runner = client.runner(tasks=[look])
    result = runner.celery_app.send_task("test_celery_app.look", (1,), {"y": 2}, headers={"who": "me"})
    runner.run_all()

    assert client.jobs().result(result.id) == [1, 2, {"who": "me"}]


def test_what_cannot_be_sent_is_refused(client: Client, cluster: Cluster) -> None:
    """One sentence for each, and no job."""
    app = client.runner(tasks=TASKS).celery_app
    line = app.tasks["Line"]

    with pytest.raises(TaskNotRegistered, match=r"^This runner has no task 'Lime': name it in runner\(tasks=\[...\]\)"):
        app.send_task("Lime")
    with pytest.raises(CanvasError, match=r"^Line is sent as a part of a canvas: submit that with jobs.submit_canvas"):
        chain(line.si("a"), line.si("b")).apply_async()
    with pytest.raises(CanvasError, match=r"^Line has a countdown, but a canvas job starts at once"):
        line.apply_async(("a",), countdown=10)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'name'"):
        line.delay()

    assert list(client.jobs().query()) == []
