"""How jobs look on a terminal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tilebox_celery.cli import output
from tilebox_celery.model.job import Job, ProgressIndicator
from tilebox_celery.model.states import JobState, TaskState
from tilebox_celery.model.text import counted

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

COLOURS: dict[str, str] = {
    JobState.SUBMITTED: "yellow",
    JobState.STARTED: "yellow",
    JobState.RUNNING: "blue",
    JobState.COMPLETED: "green",
    JobState.FAILED: "red",
    JobState.CANCELED: "magenta",
    TaskState.QUEUED: "yellow",
    TaskState.COMPUTED: "green",
    TaskState.FAILED_OPTIONAL: "magenta",
    TaskState.SKIPPED: "bright_black",
}
"""The documents' colours of states; those that both kinds share are the same."""

_SHORTEST = 13
_BAR = 20


def job_table(jobs: Sequence[Job]) -> "Table":
    """List jobs, one line each, with ids that are as short as they can be among them."""
    length = _unique_length([str(job.id) for job in jobs])
    rows = [
        (
            str(job.id)[:length],
            state_text(job.state),
            _share(job.execution_stats.tasks_by_state),
            output.ago(job.submitted_at).removesuffix(" ago"),
            job.name,
        )
        for job in jobs
    ]
    return output.table(("ID", "STATE", "TASKS", "AGE", "NAME"), rows, right=("TASKS", "AGE"), cut="NAME")


def job_facts(job: Job) -> "Table":
    """Show all that is known of one job."""
    from rich.text import Text

    stats = job.execution_stats
    rows: list[tuple[str, str | Text]] = [
        ("Job", job.name),
        ("Id", str(job.id)),
        ("State", state_text(job.state)),
        ("Tasks", counts_text(stats.tasks_by_state) or Text("none")),
        ("Submitted", f"{output.moment(job.submitted_at)} ({output.ago(job.submitted_at)})"),
    ]
    rows += [(bar.label or "Progress", bar_text(bar)) for bar in job.progress]
    if job.started_at is not None:
        cpu = f", {output.span(stats.cpu_seconds)} CPU" if stats.cpu_seconds else ""
        memory = f", at most {stats.peak_rss_bytes / 2**20:,.0f} MiB" if stats.peak_rss_bytes else ""
        rows += [
            ("Started", output.moment(job.started_at)),
            ("Elapsed", f"{output.span(stats.elapsed)}, {stats.parallelism:.1f} tasks at once"),
            ("Cost", f"{output.span(stats.compute_time)} in {counted(stats.attempts, 'attempt')}{cpu}{memory}"),
        ]
    if job.finished_at is not None:
        rows.append(("Finished", output.moment(job.finished_at)))
    return output.facts(rows)


def state_text(state: str) -> "Text":
    """Write a state in its colour."""
    from rich.text import Text

    return Text(state, style=COLOURS.get(state, ""))


def counts_text(counts: Mapping[TaskState, int]) -> "Text":
    """Write how many tasks are in each state."""
    from rich.text import Text

    parts = [
        Text(f"{count:,} {state.replace('_', ' ').lower()}", style=COLOURS.get(state, ""))
        for state, count in counts.items()
        if count
    ]
    return Text(", ").join(parts)


def bar_text(bar: ProgressIndicator) -> "Text":
    """Draw a progress bar."""
    from rich.text import Text

    share = min(bar.done / bar.total, 1.0) if bar.total > 0 else 0.0
    filled = int(share * _BAR)
    return Text.assemble(
        ("━" * filled, "green"), ("━" * (_BAR - filled), "bright_black"), f" {bar.done:,} of {bar.total:,}"
    )


def _share(counts: Mapping[TaskState, int]) -> str:
    total = sum(counts.values())
    return f"{total - counts.get(TaskState.QUEUED, 0) - counts.get(TaskState.RUNNING, 0):,}/{total:,}"


def _unique_length(ids: Sequence[str]) -> int:
    length = _SHORTEST
    while length < 36 and len({each[:length] for each in ids}) < len(ids):
        length += 1
    return length
