"""A canvas with a name that nobody can run is refused; one that only others can know waits for a runner."""

import subprocess
import sys
from typing import Any

import pytest
from canvas_project import add, app, pack
from celery import Celery, Task, chain, signature
from celery.canvas import xmap

from tilebox_celery.client.client import Client
from tilebox_celery.errors import CanvasError
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.runner.task_runner import TaskRunner

BY_NAME = """
from tilebox_celery.workflows import Client

print(Client().jobs().submit_canvas("by name", {"task": "somewhere.task", "args": [1]}).id)
"""


def test_a_name_that_the_app_does_not_have_is_refused(client: Client, runner: TaskRunner) -> None:
    """Unless a runner has registered it, which may be in another process."""
    jobs = client.jobs()
    runner.run_all()  # has registered canvas_project.*
    elsewhere = Celery("elsewhere", set_as_current=False)
    elsewhere.task(name="elsewhere.task", shared=False)(pack.run)

    with pytest.raises(CanvasError, match=r"^chain\[1\]: project.ad is not a task of a Celery app of this process, "):
        jobs.submit_canvas("typo", chain(add.s(1, 1), app.signature("project.ad", args=(1,))))
    known_to_a_runner = jobs.submit_canvas("other app", elsewhere.signature("canvas_project.add", args=(1, 1)))

    runner.run_all()
    assert jobs.result(known_to_a_runner) == 2


def test_a_name_is_looked_for_in_all_apps_of_the_process(client: Client, cluster: Cluster) -> None:
    """The project's app was made with set_as_current=False, and a signature without an app does not name it."""
    jobs = client.jobs()
    unknown: list[Any] = [{"task": "canvas_project.ad", "args": [1, 1]}, signature("canvas_project.ad", (1, 1))]

    for canvas in unknown:
        with pytest.raises(CanvasError, match=r"^canvas_project.ad is not a task of a Celery app of this process, and"):
            jobs.submit_canvas("typo", canvas)
    with pytest.raises(CanvasError, match=r"^canvas_project.add cannot be called like this"):
        jobs.submit_canvas("found", {"task": "canvas_project.add", "args": [1]})
    assert list(jobs.query()) == []


def _called(task: Task) -> list[Any]:
    name = task.name
    return [{"task": name}, signature(name), task.si(), app.signature(name), xmap(task, [1])]


@pytest.mark.parametrize("name", ["celery.accumulate", "celery.chord_unlock", "celery.backend_cleanup"])
def test_a_task_of_celery_itself_is_refused(client: Client, runner: TaskRunner, name: str) -> None:
    """No runner has it, although every app does."""
    runner.run_all()

    for canvas in _called(app.tasks[name]):
        with pytest.raises(CanvasError) as caught:
            client.jobs().submit_canvas("built in", canvas)

        said = f"{name} is one of Celery's own tasks, which no runner has registered: use a task of your own."
        assert str(caught.value) == said


def test_a_name_that_nothing_here_can_know_waits_for_a_runner(client: Client, cluster: Cluster) -> None:
    """A process without the tasks' app can submit by name."""
    job = subprocess.check_output([sys.executable, "-c", BY_NAME], text=True).strip()

    assert "no live runner" in str(client.jobs().why(job)[0])
