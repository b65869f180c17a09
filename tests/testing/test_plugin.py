"""The fixtures and helpers that users get for their own tests."""

import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

from tilebox_celery.errors import ArgumentError
from tilebox_celery.postgres.connection import Connection
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


def test_a_crash_needs_a_task_and_an_attempt(crash: Crash) -> None:
    """A choice that can name no attempt is refused."""
    with pytest.raises(ArgumentError, match="names no attempt"):
        crash(on="", attempt=1)
