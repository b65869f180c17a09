"""The table of task states and the rule for job states."""

import itertools
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tilebox_celery.model.states import (
    FINAL_STATES,
    SETTLED_STATES,
    TRANSITIONS,
    JobState,
    TaskState,
    job_state,
    legal_events,
    state_diagram,
)

ROOT = Path(__file__).parents[2]


@pytest.mark.clause("1.4-1")
def test_public_states() -> None:
    """The states are the six public ones, and their texts are those of the ledger."""
    assert [str(state) for state in TaskState] == [
        "QUEUED",
        "RUNNING",
        "COMPUTED",
        "FAILED",
        "FAILED_OPTIONAL",
        "SKIPPED",
    ]


def test_no_way_out_of_final_states_except_by_the_user() -> None:
    """A task in a final state moves only if a user retries the job, and then only if it failed."""
    leaving = {(move.event, move.source) for move in TRANSITIONS if move.source in FINAL_STATES}

    assert leaving == {("requeue", TaskState.FAILED)}


def test_every_state_can_be_reached() -> None:
    """Each state is reached from a new task by legal moves."""
    reached: set[TaskState | None] = {None}

    for _ in TRANSITIONS:
        reached |= {move.target for move in TRANSITIONS if move.source in reached}

    assert reached == {None, *TaskState}


def test_rows_differ() -> None:
    """No move is listed twice, and each says who makes it."""
    assert max(Counter((move.event, move.source, move.target) for move in TRANSITIONS).values()) == 1
    assert all(move.by for move in TRANSITIONS)


def test_legal_events() -> None:
    """The table answers which events may lead from one state to another."""
    assert legal_events(None, TaskState.QUEUED) == {"submit"}
    assert legal_events(TaskState.RUNNING, TaskState.FAILED) == {"fail", "abandon"}
    assert legal_events(TaskState.COMPUTED, TaskState.QUEUED) == frozenset()


def test_settled_states_let_the_job_go_on() -> None:
    """Everything final but FAILED lets the job go on."""
    assert set(TaskState) - SETTLED_STATES == {TaskState.QUEUED, TaskState.RUNNING, TaskState.FAILED}


def test_page_shows_the_table() -> None:
    """docs/states.md shows the diagram that the table draws."""
    page = (ROOT / "docs" / "states.md").read_text()

    assert f"```mermaid\n{state_diagram()}\n```" in page


def test_diagram_is_printed() -> None:
    """python -m tilebox_celery.model.states prints the diagram, with one arrow for all events between two states."""
    command = [sys.executable, "-m", "tilebox_celery.model.states"]

    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout

    assert printed == state_diagram() + "\n"
    assert printed.startswith("stateDiagram-v2\n    [*] --> QUEUED: submit\n")
    assert "    RUNNING --> QUEUED: retry / give_back / lose\n" in printed


def test_job_state_precedence() -> None:
    """Over all combinations: COMPLETED wins over FAILED, CANCELED, RUNNING, STARTED and SUBMITTED in this order."""
    for settled, failed, canceled, running, started in itertools.product((False, True), repeat=5):
        counts = {TaskState.FAILED: int(failed), TaskState.RUNNING: 3 * running, TaskState.QUEUED: 2}

        state = job_state(settled=settled, canceled=canceled, counts=counts, started=started)

        flags = [settled, failed, canceled, running, started, True]
        order = ["COMPLETED", "FAILED", "CANCELED", "RUNNING", "STARTED", "SUBMITTED"]
        assert state == order[flags.index(True)]


def test_missing_counts_are_zero() -> None:
    """A state that the counts do not mention has no tasks."""
    assert job_state(settled=False, canceled=False, counts={}, started=False) is JobState.SUBMITTED


def test_terminal_job_states() -> None:
    """COMPLETED, FAILED and CANCELED are the states in which waiting ends."""
    assert {state for state in JobState if state.is_terminal} == {
        JobState.COMPLETED,
        JobState.FAILED,
        JobState.CANCELED,
    }
