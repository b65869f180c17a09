"""All task and job states, and every legal move between task states, in one table."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple


class TaskState(StrEnum):
    """The state of one task; the text is the one in the ledger.

    A task is *completed* when it is computed and its whole subtree is settled. That is a fact about
    counters, not a seventh state.
    """

    QUEUED = "QUEUED"
    """Waits for its dependencies, for a runner, or for its limit."""
    RUNNING = "RUNNING"
    """A runner holds a claim on it."""
    COMPUTED = "COMPUTED"
    """Its code returned; its subtasks may still be under way."""
    FAILED = "FAILED"
    """Its attempts are spent; the job stops with it."""
    FAILED_OPTIONAL = "FAILED_OPTIONAL"
    """Its attempts are spent inside an optional subtree; the job goes on."""
    SKIPPED = "SKIPPED"
    """It will not run, since its optional subtree has failed."""


class JobState(StrEnum):
    """The state of a job, derived from its tasks by `job_state`."""

    SUBMITTED = "SUBMITTED"
    """No task has been started."""
    RUNNING = "RUNNING"
    """At least one task runs right now."""
    STARTED = "STARTED"
    """Some tasks have run, none runs right now."""
    COMPLETED = "COMPLETED"
    """Every task is settled."""
    FAILED = "FAILED"
    """A task failed for good."""
    CANCELED = "CANCELED"
    """A user canceled it before it could complete."""

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more is started until somebody retries the job."""
        return self in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELED)


class Transition(NamedTuple):
    """One legal move of a task."""

    event: str
    """What happened: the word used in the docs, the logs, the SQL headers and the attempt journal."""
    source: TaskState | None
    """The state it moves from; None means that the task is new."""
    target: TaskState
    """The state it moves to."""
    by: str
    """Who moves it, and when."""


_QUEUED, _RUNNING = TaskState.QUEUED, TaskState.RUNNING

TRANSITIONS: tuple[Transition, ...] = (
    Transition("submit", None, _QUEUED, "a client, or the runner that finishes the parent"),
    Transition("claim", _QUEUED, _RUNNING, "a runner"),
    Transition("finish", _RUNNING, TaskState.COMPUTED, "the runner, when the code has returned"),
    Transition("retry", _RUNNING, _QUEUED, "the runner, when the code has raised and retries are left"),
    Transition("fail", _RUNNING, TaskState.FAILED, "the runner, when no retry is left or the job is canceled"),
    Transition("fail_optional", _RUNNING, TaskState.FAILED_OPTIONAL, "the same, inside an optional subtree"),
    Transition("skip", _QUEUED, TaskState.SKIPPED, "the failure of another task of its optional subtree"),
    Transition("give_back", _RUNNING, _QUEUED, "a runner that stops or did not get to start it; costs no retry"),
    Transition("lose", _RUNNING, _QUEUED, "the sweep or the keeper, when its process is gone; costs a crash retry"),
    Transition("abandon", _RUNNING, TaskState.FAILED, "the same, when the crash retries are spent"),
    Transition("abandon", _RUNNING, TaskState.FAILED_OPTIONAL, "the same, inside an optional subtree"),
    Transition("requeue", TaskState.FAILED, _QUEUED, "a user who retries the job"),
)

FINAL_STATES = frozenset(
    {TaskState.COMPUTED, TaskState.FAILED, TaskState.FAILED_OPTIONAL, TaskState.SKIPPED},
)
"""States in which a task neither runs nor waits for a runner."""

SETTLED_STATES = FINAL_STATES - {TaskState.FAILED}
"""States after which the job goes on (for COMPUTED: once the subtree is settled too)."""


def legal_events(source: TaskState | None, target: TaskState) -> frozenset[str]:
    """List the events that may move a task from one state to another.

    Args:
        source: The state before; None for a task that did not exist.
        target: The state after.

    Returns:
        The names of the events; empty if the move is illegal.

    Example:
        >>> sorted(legal_events(TaskState.RUNNING, TaskState.QUEUED))
        ['give_back', 'lose', 'retry']
    """
    return frozenset(move.event for move in TRANSITIONS if move.source == source and move.target == target)


def job_state(*, settled: bool, canceled: bool, counts: Mapping[TaskState, int], started: bool) -> JobState:
    """Derive the state of a job; the first rule that matches wins.

    Args:
        settled: Every task of the job is settled.
        canceled: The job was canceled, by a user or by a failure.
        counts: Number of tasks by state; a missing state counts as 0.
        started: Some task has been claimed at least once.

    Returns:
        COMPLETED, FAILED, CANCELED, RUNNING, STARTED or SUBMITTED, in this order of precedence.

    Example:
        >>> str(job_state(settled=False, canceled=True, counts={TaskState.FAILED: 1}, started=True))
        'FAILED'
    """
    if settled:
        return JobState.COMPLETED
    if counts.get(TaskState.FAILED, 0):
        return JobState.FAILED
    if canceled:
        return JobState.CANCELED
    if counts.get(TaskState.RUNNING, 0):
        return JobState.RUNNING
    return JobState.STARTED if started else JobState.SUBMITTED


def state_diagram() -> str:
    """Draw the table of transitions as a mermaid state diagram."""
    return "\n".join(["stateDiagram-v2", *(f"    {line}" for line in _arrows())])


def _arrows() -> Iterator[str]:
    labels: dict[tuple[str, str], list[str]] = {}
    for move in TRANSITIONS:
        labels.setdefault((move.source or "[*]", move.target), []).append(move.event)
    for (source, target), events in labels.items():
        yield f"{source} --> {target}: {' / '.join(events)}"


if __name__ == "__main__":
    print(state_diagram())
