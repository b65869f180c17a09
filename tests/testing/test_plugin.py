"""The fixtures and helpers that users get for their own tests."""

import contextlib
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

from tilebox_celery.embedded import Stack
from tilebox_celery.errors import ArgumentError
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.settings import Settings
from tilebox_celery.testing import Crash, DatabaseClock, Node, assert_tree
from tilebox_celery.workflows import Client, ExecutionContext, Task

WORKER = """
    from tilebox_celery.workflows import Client, Task

    class Tile(Task):
        def execute(self, context):
            pass

    if __name__ == "__main__":
        Client().runner(tasks=[Tile]).run_forever(pool="prefork", concurrency=1)
"""


class Scene(Task):
    def execute(self, context: ExecutionContext) -> None:
        context.submit_subtasks([Tile(), Tile()])


class Tile(Task):
    def execute(self, context: ExecutionContext) -> None:
        pass


def test_trees_are_compared_whatever_the_order(client: Client, cluster: object) -> None:
    """A tree that is equal passes, and one that differs names both."""
    job = client.jobs().submit("scene", Scene())
    client.runner(tasks=[Scene, Tile]).run_all()

    assert_tree(client, job, Node("Scene", children=[Node("Tile"), Node("Tile")]))
    with pytest.raises(AssertionError, match="expected the tasks"):
        assert_tree(client, job, Node("Scene", children=[Node("Tile")]))


def test_the_clock_moves_database_time(clock: DatabaseClock, connection: Connection) -> None:
    """After an hour on the clock the ledger's time is an hour later."""
    before = connection.execute("select tbx.now()").fetchone()

    clock.advance(timedelta(hours=1))

    after = connection.execute("select tbx.now()").fetchone()
    assert before is not None
    assert after is not None
    assert timedelta(hours=1) <= after[0] - before[0] < timedelta(hours=1, seconds=30)


@pytest.mark.system
def test_a_chosen_attempt_is_killed_and_repeated(client: Client, cluster: object, crash: Crash, tmp_path: Path) -> None:
    """The process of the chosen attempt dies, the next attempt computes the task."""
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(WORKER))
    crash(on="Tile", attempt=1)
    worker = subprocess.Popen([sys.executable, str(script)])
    try:
        job = client.jobs().submit("tile", Tile()).wait(60)
    finally:
        worker.terminate()
        worker.wait(30)

    (task,) = client.jobs().tasks(job)
    assert [attempt.outcome for attempt in task.attempts] == ["lost", "computed"]


FOREIGN = "postgresql://production@/production?host=/nonexistent"
SETTINGS = f'ledger_url = "{FOREIGN}"\nbroker_url = "redis://production"\nhome = "/nonexistent"\nlease = 77\n'


@pytest.fixture
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell and the folder of somebody whose settings name production."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tilebox-celery.toml").write_text(f"{SETTINGS}event_args = true\n")
    monkeypatch.setenv("TILEBOX_API_URL", FOREIGN)
    monkeypatch.setenv("TILEBOX_CELERY_BROKER_URL", "redis://production")


@pytest.mark.usefixtures("_elsewhere")
def test_a_test_does_not_leave_its_own_stack(request: pytest.FixtureRequest, stack: Stack) -> None:
    """Whatever variables and files name, Client() and the processes of a test stay in the servers of the run."""
    url = request.getfixturevalue("tilebox_ledger_url")
    code = "from tilebox_celery.workflows import Client; print(Client().settings.ledger_url, Client().settings.lease)"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    with contextlib.closing(Client()) as client:
        assert client.settings == Settings(ledger_url=url, broker_url=stack.broker_url, home=stack.home)
        assert client.clusters().all() == []
    assert told.stdout == f"{url} 0:00:30\n"


@pytest.mark.usefixtures("_elsewhere")
def test_a_test_may_want_the_broker_of_its_stack(request: pytest.FixtureRequest, stack: Stack) -> None:
    """With tilebox_broker_url the Valkey of the run is the broker, also for processes that the test starts."""
    url = request.getfixturevalue("tilebox_broker_url")

    with contextlib.closing(Client()) as client:
        assert client.settings.broker_url == url == stack.broker_url
        assert client.clusters().all() == []


@pytest.mark.usefixtures("_elsewhere")
def test_without_a_file_there_is_no_broker(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A broker that a variable names is left alone, and Postgres wakes the workers."""
    (tmp_path / "tilebox-celery.toml").unlink()
    request.getfixturevalue("tilebox_ledger_url")

    assert Settings.from_environment().broker_url is None


def test_a_crash_needs_a_task_and_an_attempt(crash: Crash) -> None:
    """A choice that can name no attempt is refused."""
    with pytest.raises(ArgumentError, match="names no attempt"):
        crash(on="", attempt=1)
