"""``tilebox-celery job wait`` and ``job watch``: stay with a job until it is over."""

import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.documents import job_document
from tilebox_celery.cli.exits import ExitCode, code_of_job
from tilebox_celery.cli.framework import command
from tilebox_celery.cli.job_tables import bar_text, counts_text, state_text
from tilebox_celery.cli.job_tasks import FAILED, tree_text
from tilebox_celery.cli.opening import find_id, open_client
from tilebox_celery.cli.spans import parse_span
from tilebox_celery.model.job import Job, TaskView
from tilebox_celery.model.states import JobState, TaskState
from tilebox_celery.model.tracebacks import cause_line

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

    from tilebox_celery.client.jobs import JobClient

_PAUSE = 0.25
_DRAWN_TASKS = 500
_SHOWN_ERRORS = 3

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The id of the job, or the start of it.")]
Timeout = Annotated[str | None, typer.Option("--timeout", metavar="TIME", help="Give up after 30s, 5m, 2h; exit 124.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""

    @command(app, "wait", short_help="Wait until a job is over.")
    def wait_for_job(job: JobId, timeout: Timeout = None) -> None:
        """Wait until a job is over; exit 0 completed, 1 failed, 3 canceled, 124 not in time.

        Ctrl-C ends the waiting, not the job.
        """
        seconds = None if timeout is None else parse_span("--timeout", timeout)
        wait_and_show(open_client().jobs(), find_id(job), seconds)

    @command(app, "watch", short_help="Show a job live.")
    def watch_job(job: JobId, timeout: Timeout = None) -> None:
        """Show a job live, as a tree on a terminal and as lines elsewhere; exits as 'wait' does.

        With --json each change is one line.
        """
        seconds = None if timeout is None else parse_span("--timeout", timeout)
        jobs, job_id = open_client().jobs(), find_id(job)
        with _detaching(job_id):
            found = _watch(jobs, job_id, seconds)
            if not output.mode.json:
                _show_errors(jobs, found)
        raise typer.Exit(code_of_job(found.state))


def wait_and_show(jobs: "JobClient", job_id: UUID, timeout: timedelta | None) -> None:
    """Wait for a job, say how it ended, and end the process with its exit code."""
    with _detaching(job_id):
        if sys.stderr.isatty() and not output.mode.json:
            found = _wait_with_line(jobs, job_id, timeout)
        else:
            found = jobs.wait(job_id, timeout)
        if output.mode.json:
            output.show_document(job_document(found))
        else:
            output.show(_ending(found))
            _show_errors(jobs, found)
    raise typer.Exit(code_of_job(found.state))


class _detaching:  # noqa: N801  # reads as a verb
    """Let Ctrl-C end the waiting and say that the job goes on."""

    def __init__(self, job_id: UUID) -> None:
        self.job_id = job_id

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyboardInterrupt):
            output.say(f"The job goes on; 'tilebox-celery job cancel {self.job_id}' cancels it.")
            raise typer.Exit(ExitCode.INTERRUPTED) from None


def _wait_with_line(jobs: "JobClient", job_id: UUID, timeout: timedelta | None) -> Job:
    with output.stderr().status("waiting") as status:
        for job in _changes(jobs, job_id, timeout):
            status.update(_ending(job))
    return job


def _watch(jobs: "JobClient", job_id: UUID, timeout: timedelta | None) -> Job:
    if output.mode.json or not sys.stdout.isatty():
        for job in _changes(jobs, job_id, timeout):
            if output.mode.json:
                output.show_line(job_document(job))
            else:
                output.show(_ending(job))
        return job
    from rich.live import Live

    console = output.stdout()
    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        for job in _changes(jobs, job_id, timeout, every=timedelta(seconds=1)):
            total = job.execution_stats.total_tasks
            live.update(_view(job, jobs.tasks(job_id) if total <= _DRAWN_TASKS else [], console.width), refresh=True)
        live.vertical_overflow = "visible"
    return job


def _changes(
    jobs: "JobClient", job_id: UUID, timeout: timedelta | None, every: timedelta | None = None
) -> Iterator[Job]:
    """Yield a job now and whenever its state, counts or bars changed, until it is over.

    Args:
        jobs: Whom to ask.
        job_id: Of the job.
        timeout: Raise TimeoutError after this time.
        every: Yield at least so often.
    """
    deadline = None if timeout is None else time.monotonic() + timeout.total_seconds()
    last: object = None
    yielded = 0.0
    while True:
        job = jobs.find(job_id)
        now = (job.state, dict(job.execution_stats.tasks_by_state), job.progress)
        over = job.state.is_terminal and not job.execution_stats.tasks_by_state.get(TaskState.RUNNING)
        if now != last or over or (every is not None and time.monotonic() - yielded >= every.total_seconds()):
            yield job
            last, yielded = now, time.monotonic()
        if over:
            return
        if deadline is not None and time.monotonic() >= deadline:
            assert timeout is not None, "it made the deadline"
            tasks = "task" if sum(now[1].values()) == 1 else "tasks"
            raise TimeoutError(
                f"Job {job_id} is {job.state} after {timeout.total_seconds():g} s: {counts_text(now[1])} {tasks}."
            )
        time.sleep(_PAUSE if deadline is None else max(0.0, min(_PAUSE, deadline - time.monotonic())))


def _ending(job: Job) -> "Text":
    from rich.text import Text

    stats = job.execution_stats
    return Text.assemble(
        f"{output.clean(job.name, 1)} ",
        state_text(job.state),
        ": ",
        counts_text(stats.tasks_by_state),
        f" after {output.span(stats.elapsed)}" if stats.elapsed else "",
    )


def _view(job: Job, roots: list[TaskView], width: int) -> "Group":
    from rich.console import Group
    from rich.text import Text

    bars = [Text.assemble(f"{output.clean(bar.label or 'Progress', 1)}  ", bar_text(bar)) for bar in job.progress]
    tree = list(tree_text(roots, width)) if roots else []
    return Group(_ending(job), *bars, *tree)


def _show_errors(jobs: "JobClient", job: Job) -> None:
    if job.state is not JobState.FAILED:
        return
    shown = 0
    for task in jobs.iter_tasks(job.id):
        if task.state in FAILED and shown < _SHOWN_ERRORS:
            shown += 1
            display = output.clean(task.display.partition("\n")[0], 1)
            output.stderr().print(f"{display}: {output.clean(cause_line(task.error or ''), 1)}", style="red")
    output.say(f"Whole errors: 'tilebox-celery job tasks {job.id} --failed'.")
