"""``tilebox-celery job tasks``: the tree of tasks, or what failed in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.documents import task_document, tree_document
from tilebox_celery.cli.framework import command
from tilebox_celery.cli.job_tables import state_text
from tilebox_celery.cli.opening import find_id, open_client
from tilebox_celery.model.job import TaskView
from tilebox_celery.model.states import TaskState

if TYPE_CHECKING:
    from rich.text import Text

FAILED = (TaskState.FAILED, TaskState.FAILED_OPTIONAL)
_FOLD = 12
_RIGHT = 52
"""Columns right of the tree: state, attempts, time, runner."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a drawn tree: a task, or how many are folded away."""

    prefix: str
    task: TaskView
    folded: int = 0


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "tasks")
    def show_tasks(
        job: Annotated[str, typer.Argument(metavar="JOB", help="The id of the job, or the start of it.")],
        failed: Annotated[bool, typer.Option("--failed", help="Only what failed, with whole errors.")] = False,
        every: Annotated[bool, typer.Option("--all", help="Fold nothing.")] = False,
    ) -> None:
        """Show the tree of tasks, with states, attempts, times, runners and errors."""
        jobs, job_id = open_client().jobs(), find_id(job)
        if failed:
            _show_failed([task for task in jobs.iter_tasks(job_id) if task.state in FAILED])
            return
        roots = jobs.tasks(job_id)
        if output.mode.json:
            output.show_document([tree_document(root) for root in roots])
            return
        console = output.stdout()
        widest = None if console.is_terminal else _widest(roots, every)
        width = min(console.width, (widest or 0) + _RIGHT) if widest else console.width
        for text in tree_text(roots, width, every=every):
            console.print(text, no_wrap=True, overflow="ellipsis", crop=console.is_terminal)


def tree_text(roots: Sequence[TaskView], width: int, *, every: bool = False) -> Iterator["Text"]:
    """Draw trees of tasks, one text a line.

    Args:
        roots: Each with its subtasks in `children`.
        width: Columns of the terminal.
        every: Fold nothing.
    """
    from rich.text import Text

    left = max(width - _RIGHT, 20)
    header = Text(f"{'TASK':{left}}{'STATE':17}{'TRIES':>5}  {'TIME':>8}  RUNNER", style="bold")
    yield header
    for line in tree_lines(roots, every=every):
        if line.folded:
            more = f"{line.prefix}... {line.folded:,} more {_name(line.task)} "
            yield Text.assemble(more, state_text(line.task.state))
            continue
        task = line.task
        name = line.prefix + _name(task)
        if len(name) > left - 2:
            name = name[: left - 3] + "…"
        yield Text.assemble(
            f"{name:{left}}",
            _padded_state(task.state),
            f"{len(task.attempts) or '':>5}  {_time(task):>8}  {output.clean(task.runner or '', 1)}",
        )
        if task.error and task.state is not TaskState.COMPUTED:
            indent = " " * (len(line.prefix) + 2)
            yield Text(indent + output.clean(last_line(task.error), 1), style="red")


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


def last_line(error: str) -> str:
    """Return the line of a traceback that says what happened."""
    lines = [line for line in error.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def _folded(siblings: Sequence[TaskView], every: bool) -> Iterator[Line]:
    seen: dict[tuple[str, str], int] = {}
    rest: dict[tuple[str, str], TaskView] = {}
    for task in siblings:
        kind = (task.identifier.name, str(task.state))
        plain = not task.children and task.state not in FAILED
        seen[kind] = seen.get(kind, 0) + plain
        if every or not plain or seen[kind] <= _FOLD:
            yield Line("", task)
        else:
            rest[kind] = task
    for kind, task in rest.items():
        yield Line("", task, seen[kind] - _FOLD)


def _show_failed(tasks: Sequence[TaskView]) -> None:
    if output.mode.json:
        output.show_document([task_document(task) for task in tasks])
        return
    if not tasks:
        output.say("No task has failed.")
        return
    console = output.stdout()
    for task in tasks:
        tries = "1 attempt" if len(task.attempts) == 1 else f"{len(task.attempts)} attempts"
        console.print(
            f"{output.clean(_name(task), 1)} {task.identifier.version} ({tries}, {task.id})", style="bold red"
        )
        for line in (task.error or "").splitlines():
            console.print("  " + output.clean(line, 1), soft_wrap=True)


def _name(task: TaskView) -> str:
    return output.clean(task.display.partition("\n")[0], 1) or task.identifier.name


def _padded_state(state: str) -> "Text":
    text = state_text(state)
    text.pad_right(17 - len(state))
    return text


def _time(task: TaskView) -> str:
    if task.started_at is None:
        return ""
    end = task.finished_at
    if end is None:
        if task.state is not TaskState.RUNNING:
            return ""
        end = datetime.now(UTC)
    return output.span(max((end - task.started_at).total_seconds(), 0.0))


def _widest(roots: Sequence[TaskView], every: bool) -> int:
    return max((len(line.prefix) + len(_name(line.task)) + 2 for line in tree_lines(roots, every=every)), default=0)
