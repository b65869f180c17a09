"""The how-to pages on canvas and on tests hold programs that run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.test_examples import ROOT
from tests.project.checkout import plant, running_server
from tilebox_celery.client.client import Client
from tilebox_celery.model.cluster import Cluster

TASKS = """from celery import Celery

app = Celery("proj")


@app.task
def add(x, y):
    return x + y


@app.task
def mul(x, y):
    return x * y


@app.task
def total(numbers):
    return sum(numbers)
"""
CLASSES = """from tilebox_celery.workflows import Task


class Mosaic(Task):
    scene: str

    def execute(self, context):
        context.submit_subtasks([Tile(0), Tile(1)])


class Tile(Task):
    number: int

    def execute(self, context):
        pass


"""


def programs(page: str) -> list[str]:
    """Return the blocks of Python of a how-to page."""
    text = (ROOT / "docs" / "howto" / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run(folder: Path, *words: str) -> str:
    """Run a program to its end and return what it printed."""
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.system
def test_canvas_page(client: Client, cluster: Cluster, tmp_path: Path) -> None:
    """The runner of the page gives the sum of its canvas, and runs what is sent by plain Celery."""
    runner, submit, send = programs("canvas.md")[:3]
    plant(tmp_path, {"proj/__init__.py": "", "proj/tasks.py": TASKS, "my_runner.py": runner, "submit.py": submit})
    plant(tmp_path, {"send.py": f"from tilebox_celery.workflows import Client\n\njobs = Client().jobs()\n{send}"})
    worker = [sys.executable, "-m", "celery", "-A", "my_runner:app", "worker", "-c", "1"]

    with running_server(worker, "[queues]", tmp_path, {**os.environ, "PYTHONUNBUFFERED": "1"}):
        printed = run(tmp_path, "submit.py")
        run(tmp_path, "send.py")

    assert printed == "45\n"
    assert [str(job.state) for job in client.jobs().query()] == ["COMPLETED"] * 2


@pytest.mark.system
def test_testing_page(tmp_path: Path) -> None:
    """The test of the page passes with classes that do what it says of them."""
    [program] = programs("testing.md")
    plant(tmp_path, {"test_mosaic.py": CLASSES + program})

    printed = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mosaic.py")

    assert "1 passed" in printed
