"""A worker with -E: Flower, ``celery events`` and a browser show the ledger's tasks under the user's names."""

import base64
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fleet import Fleet, until
from servers import Valkey
from workflow import Fan, UntilThere

from tilebox_celery.dispatch.app import make_app
from tilebox_celery.settings import Settings
from tilebox_celery.settings_files import config_path
from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system
LOGIN = "me:fl1"
WORKER = [sys.executable, "-m", "celery", "-A", "workflow:app", "worker", "-c", "2", "-E", "--loglevel", "WARNING"]


@pytest.fixture
def fleet(ledger_url: str, cluster: object, tmp_path: Path) -> Iterator[Fleet]:
    """Workers on a ledger and a broker of this test."""
    valkey = Valkey(tmp_path / "v").start()
    client = Client(settings=Settings(ledger_url=ledger_url, broker_url=valkey.url))
    fleet = Fleet(client, ledger_url, valkey.url, tmp_path)
    yield fleet
    fleet.stop()
    client.close()
    valkey.kill()


class Flower:
    """A Flower on a port of loopback."""

    def __init__(self, fleet: Fleet) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        options = ["--address=127.0.0.1", f"--port={self.port}", f"--conf={config_path('flowerconfig.py')}"]
        broker = ["--broker", fleet.environment["TILEBOX_CELERY_BROKER_URL"]]
        fleet.launch([sys.executable, "-m", "celery", *broker, "flower", *options], FLOWER_BASIC_AUTH=LOGIN)
        until(lambda: self.answers("/api/tasks") is not None)

    def answers(self, path: str) -> Any:
        """Return what the API answers; None while Flower does not listen."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        request.add_header("Authorization", f"Basic {base64.b64encode(LOGIN.encode()).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except (urllib.error.URLError, ConnectionError):
            return None


@contextmanager
def listening(broker_url: str) -> Iterator[list[dict[str, Any]]]:
    """Gather events as ``celery events`` does."""
    events: list[dict[str, Any]] = []
    ready, over = threading.Event(), threading.Event()

    def listen() -> None:
        with make_app("listening", broker_url).connection_for_read() as connection:
            receiver = make_app("listening", broker_url).events.Receiver(connection, handlers={"*": events.append})
            with receiver.consumer_context(wakeup=False) as (inner, _, _):
                ready.set()
                while not over.is_set():
                    try:
                        inner.drain_events(timeout=0.2)
                    except TimeoutError:
                        continue

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        assert ready.wait(30)
        yield events
    finally:
        over.set()
        thread.join()


def test_monitors_see_ledger_tasks(fleet: Fleet, tmp_path: Path) -> None:
    """Names, states, parents and jobs reach Flower's API and an event receiver; the arguments do not, nor wake-ups."""
    flower = Flower(fleet)
    with listening(fleet.environment["TILEBOX_CELERY_BROKER_URL"]) as events:
        fleet.run(WORKER)
        until(lambda: any(event["type"] == "worker-online" for event in events))

        job = fleet.client.jobs().submit("fan", Fan(5, 0.05, "secret")).wait(30)
        failed = fleet.client.jobs().submit("fails", UntilThere(str(tmp_path / "never"))).wait(30)
        tree = {str(task.id): task for one in (job, failed) for task in fleet.tasks(one)}
        seen = until(
            lambda: (
                (found := flower.answers("/api/tasks"))
                and found.keys() >= tree.keys()
                and not {one["state"] for one in found.values()} & {"RECEIVED", "STARTED", "PENDING"}
                and found
            )
        )
        ended = {"task-succeeded", "task-failed"}
        until(lambda: {e["uuid"] for e in events if e["type"] in ended} >= tree.keys())

    assert (job.state, failed.state) == ("COMPLETED", "FAILED")
    assert {key: (one["name"], one["state"]) for key, one in seen.items()} == {
        key: (task.identifier.name, "SUCCESS" if task.state == "COMPUTED" else "FAILURE") for key, task in tree.items()
    }
    assert {one["args"] for one in seen.values()} <= {"", None}
    assert "secret" not in json.dumps([*events, seen])
    received = {event["uuid"]: event for event in events if event["type"] == "task-received"}
    [root] = fleet.client.jobs().tasks(job)
    assert received[str(root.id)]["parent_id"] is None
    assert {received[str(child.id)]["parent_id"] for child in root.children} == {str(root.id)}
    assert {received[key]["root_id"] for key in tree} == {str(job.id), str(failed.id)}
    assert all(one["root_id"] in {str(job.id), str(failed.id)} for one in seen.values())


def test_flower_lists_the_worker_with_its_queue(fleet: Fleet) -> None:
    """Flower's list of workers holds the runner, the one queue that it consumes, and the identifiers it registered."""
    flower = Flower(fleet)
    fleet.run(WORKER)
    [(runner_id, name)] = fleet.query("select id, name from tbx.runners")

    workers = until(
        lambda: (
            (found := flower.answers("/api/workers?refresh=1")) and found.get(name, {}).get("active_queues") and found
        )
    )

    assert [queue["name"] for queue in workers[name]["active_queues"]] == [f"tbx.{runner_id:x}"]
    assert {"Step", "Fan", "tilebox_celery.wake"} <= set(workers[name]["registered"])


@pytest.mark.browser
def test_a_browser_shows_the_task(fleet: Fleet, tmp_path: Path) -> None:
    """Chromium opens Flower's page of tasks and finds the user's task in it."""
    flower = Flower(fleet)
    fleet.run(WORKER)
    job = fleet.client.jobs().submit("fan", Fan(3)).wait(30)
    keys = {str(task.id) for task in fleet.tasks(job)}
    until(lambda: (flower.answers("/api/tasks") or {}).keys() >= keys)

    page = subprocess.run(
        [
            *(os.environ.get("CHROMIUM", "chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=15000"),
            f"http://{LOGIN}@127.0.0.1:{flower.port}/tasks",
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=90,
    ).stdout

    assert "Step" in page
    assert all(key in page for key in keys)
