"""The values that a running task sees: itself, and its progress bars."""

from datetime import timedelta
from threading import Thread
from typing import Any
from uuid import UUID

import pytest

from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.context import CurrentTask, ExecutionContext, ProgressUpdate
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.states import TaskState

TASK = UUID("018dd029-58ca-7000-8000-000000000005")
PARENT = UUID("018dd029-58ca-7000-8000-000000000004")


@pytest.mark.clause("1.3-5")
def test_what_a_task_knows_of_itself() -> None:
    """The current task has its documented attributes."""
    task = CurrentTask(
        TASK,
        TaskIdentifier("Tile", "v1.0"),
        "Tile",
        input=b"3",
        parent_id=PARENT,
        depends_on=(PARENT,),
        attempt=2,
        retry_count=1,
        lease=timedelta(seconds=30),
    )

    assert (task.id, task.identifier.name, task.state, task.input) == (TASK, "Tile", TaskState.RUNNING, b"3")
    assert (task.job, task.parent_id, task.depends_on) == (None, PARENT, (PARENT,))
    assert (task.attempt, task.retry_count, task.lease) == (2, 1, timedelta(seconds=30))


@pytest.mark.clause("1.6-14")
def test_display() -> None:
    """The display can be set, is cut at 1,024 code points, and may hold line breaks and other values than text."""
    task = CurrentTask(TASK, TaskIdentifier("Tile"), "Tile")
    assert task.display == "Tile"

    task.display = "a\n" + "\N{SATELLITE}" * 2000
    assert task.display == "a\n" + "\N{SATELLITE}" * 1022

    task.display = 3  # type: ignore[assignment] # the habit under test
    assert task.display == "3"


def test_misspelt_attributes() -> None:
    """An attribute that does not exist cannot be set by mistake."""
    task: Any = CurrentTask(TASK, TaskIdentifier("Tile"), "Tile")

    with pytest.raises(AttributeError):
        task.displya = "Tile"


def test_progress_adds_up() -> None:
    """add announces work and done ticks it off, one by default."""
    bar = ProgressUpdate("tiles")

    bar.add(3)
    bar.add()
    bar.done()
    bar.done(0)

    assert repr(bar) == "ProgressUpdate(label='tiles', total=4, completed=1)"


def test_progress_of_threads_adds_up() -> None:
    """Threads of one task may tick off work at once."""
    bar = ProgressUpdate()

    def work() -> None:
        for _ in range(5000):
            bar.done()

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert bar.completed == 20_000


@pytest.mark.parametrize("wrong", [-1, 1.5, "3", True])
def test_wrong_progress(wrong: Any) -> None:
    """Progress takes whole numbers of 0 or more."""
    with pytest.raises(ArgumentError, match="Progress takes a whole number of 0 or more"):
        ProgressUpdate().add(wrong)
    with pytest.raises(ArgumentError, match="Progress takes a whole number of 0 or more"):
        ProgressUpdate().done(wrong)


@pytest.mark.parametrize("move", ["add", "done"])
def test_progress_that_no_ledger_can_hold(move: str) -> None:
    """A bar counts to 2**63 - 1; what goes beyond is refused and changes nothing."""
    bar = ProgressUpdate()
    getattr(bar, move)(2**62)

    for count in (2**62, 2**70):
        with pytest.raises(ArgumentError, match="counts to 9,223,372,036,854,775,807 at most"):
            getattr(bar, move)(count)
    getattr(bar, move)(2**62 - 1)

    assert {bar.total, bar.completed} == {0, 2**63 - 1}


def test_context_is_an_interface() -> None:
    """The context that users annotate cannot be made by itself."""
    with pytest.raises(TypeError, match="abstract"):
        ExecutionContext()  # type: ignore[abstract] # the mistake under test
