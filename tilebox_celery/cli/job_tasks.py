"""``tilebox-celery job tasks``: the tree of tasks, or what failed in it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.documents import task_document
from tilebox_celery.cli.framework import command
from tilebox_celery.cli.job_tables import state_text
from tilebox_celery.cli.opening import find_id, open_client
from tilebox_celery.model.job import TaskView
from tilebox_celery.model.states import TaskState
from tilebox_celery.model.text import counted
from tilebox_celery.model.tracebacks import cause_line

if TYPE_CHECKING:
    from rich.text import Text

FAILED = (TaskState.FAILED, TaskState.FAILED_OPTIONAL)
_FOLD = 12
_RIGHT = 44
"""Columns right of the tree: state, attempts, time, runner."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a drawn tree: a task, or how many are folded away."""

    prefix: str
    task: TaskView
    folded: int = 0


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "tasks", short_help="Show the tree of tasks.")
    def show_tasks(
        job: Annotated[str, typer.Argument(metavar="JOB", help="The id of the job, or the start of it.")],
        failed: Annotated[bool, typer.Option("--failed", help="Only what failed, with whole errors.")] = False,
        every: Annotated[bool, typer.Option("--all", help="Fold nothing.")] = False,
    ) -> None:
        """Show the tree of tasks, with states, attempts, times, runners and errors.

        With --json they are a list, parents before their subtasks.
        """
        jobs, job_id = open_client().jobs(), find_id(job)
        if failed:
            _show_failed([task for task in jobs.iter_tasks(job_id) if task.state in FAILED])
            return
        if output.mode.json:  # flat: few readers of JSON take a tree as deep as a chain of a thousand tasks
            output.show_list(task_document(task) for task in jobs.iter_tasks(job_id))
            return
        roots = jobs.tasks(job_id)
        console = output.stdout()
        for text in tree_text(roots, console.width, every=every):
            console.print(text)


def cell_len(text: str) -> int:
    """Return how many columns a text takes."""
    from rich.cells import cell_len as measure

    return measure(text)


def tree_text(roots: Sequence[TaskView], width: int, *, every: bool = False) -> Iterator["Text"]:
    """Draw trees of tasks, one text a line.

    Args:
        roots: Each with its subtasks in `children`.
        width: Columns of the terminal.
        every: Fold nothing.
    """
    from rich.text import Text

    lines = list(tree_lines(roots, every=every))
    longest = max((cell_len(line.prefix + _name(line.task)) for line in lines if not line.folded), default=0)
    left = max(min(longest + 2, width - _RIGHT), 16)
    yield Text(_fit("TASK", left) + f"{'STATE':17}TRIES      TIME  RUNNER", style="bold", no_wrap=True)
    for line in lines:
        task = line.task
        if line.folded:
            text = Text.assemble(_fit(f"{line.prefix}... {line.folded:,} more", left), state_text(task.state))
        else:
            text = Text.assemble(
                _fit(line.prefix + _name(task), left),
                state_text(task.state),
                " " * (17 - len(task.state)),
                f"{len(task.attempts) or '':>5}  {_time(task):>8}  {output.clean(task.runner or '', 1)}",
            )
        text.truncate(width, overflow="ellipsis")
        yield text
        if task.error and task.state is not TaskState.COMPUTED and not line.folded:
            indent = " " * (cell_len(line.prefix) + 2)
            error = Text(indent + output.clean(cause_line(task.error), 1), style="red")
            error.truncate(width, overflow="ellipsis")
            yield error


def tree_lines(roots: Sequence[TaskView], *, every: bool = False) -> Iterator[Line]:
    """Walk trees from top to bottom; many siblings of one kind and state without subtasks become one line."""
    open_lines: list[tuple[str, str, Line]] = [("", "", line) for line in reversed(list(_folded(roots, every)))]
    while open_lines:
        prefix, below, line = open_lines.pop()
        yield Line(prefix, line.task, line.folded)
        if not line.folded:
            children = list(_folded(line.task.children, every))
            for number, child in reversed(list(enumerate(children, 1))):
                last = number == len(children)
                open_lines.append((below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "), child))


def _folded(siblings: Sequence[TaskView], every: bool) -> Iterator[Line]:
    """Keep the first of many siblings of one kind and state, and put the number of the others behind them."""
    kinds = [_kind(task) for task in siblings]
    counts = Counter(kind for kind in kinds if kind is not None)
    seen: Counter[tuple[str, str]] = Counter()
    for task, kind in zip(siblings, kinds, strict=True):
        if kind is None or every or counts[kind] <= _FOLD:
            yield Line("", task)
            continue
        seen[kind] += 1
        if seen[kind] < _FOLD:
            yield Line("", task)
        elif seen[kind] == _FOLD:
            yield Line("", task, counts[kind] - _FOLD + 1)


def _kind(task: TaskView) -> tuple[str, str] | None:
    """Return what siblings that look alike have in common; None: this one is shown anyway."""
    return None if task.children or task.state in FAILED else (task.identifier.name, str(task.state))


def _show_failed(tasks: Sequence[TaskView]) -> None:
    if output.mode.json:
        output.show_document([task_document(task) for task in tasks])
        return
    if not tasks:
        output.say("No task has failed.")
        return
    console = output.stdout()
    for task in tasks:
        tries = counted(len(task.attempts), "attempt")
        console.print(
            f"{output.clean(_name(task), 1)} {task.identifier.version} ({tries}, {task.id})", style="bold red"
        )
        for line in (task.error or "").splitlines():
            console.print("  " + output.clean(line, 1), soft_wrap=True)


def _name(task: TaskView) -> str:
    return output.clean(task.display.partition("\n")[0], 1) or task.identifier.name


def _fit(text: str, width: int) -> str:
    """Cut or fill a text to so many columns, since some characters take two."""
    from rich.cells import set_cell_size

    if cell_len(text) > width - 2:
        text = set_cell_size(text, width - 3).rstrip() + "…"
    return set_cell_size(text, width)


def _time(task: TaskView) -> str:
    if task.started_at is None:
        return ""
    end = task.finished_at
    if end is None:
        if task.state is not TaskState.RUNNING:
            return ""
        end = datetime.now(UTC)
    return output.span(max((end - task.started_at).total_seconds(), 0.0))
