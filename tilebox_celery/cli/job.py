"""``tilebox-celery job``: list, show, explain, retry and cancel jobs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tilebox_celery.cli import job_submit, job_tasks, job_wait, output
from tilebox_celery.cli.documents import job_document, why_document
from tilebox_celery.cli.framework import command, noun
from tilebox_celery.cli.job_tables import job_facts, job_table
from tilebox_celery.cli.opening import find_id, open_client
from tilebox_celery.cli.spans import parse_span
from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.model.states import JobState
from tilebox_celery.model.text import counted

if TYPE_CHECKING:
    from tilebox_celery.client.client import Client

app = noun("Submit, watch, explain, retry and cancel jobs.")

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The id of the job, or the start of it.")]

job_submit.add_to(app)


@command(app, "list")
def list_jobs(
    state: Annotated[
        list[str] | None,
        typer.Option("--state", metavar="STATE", help=f"One of {', '.join(JobState).lower()}; again for several."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="WORDS", help="Words that the name contains.")] = None,
    cluster: Annotated[
        list[str] | None, typer.Option("--cluster", metavar="SLUG", help="With a task in this cluster.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Submitted within the last 30m, 12h, 7d.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", help="How many at most.")] = 20,
    after: Annotated[str | None, typer.Option("--after", metavar="JOB", help="Go on after this job.")] = None,
) -> None:
    """List jobs, the newest first."""
    start = None if since is None else (datetime.now(UTC) - parse_span("--since", since), None)
    filters: dict[str, Any] = {
        "temporal_extent": start,
        "job_states": [_state(each) for each in state or ()] or None,
        "name": name,
        "clusters": cluster or None,
    }
    if limit < 1:
        raise ArgumentError(f"--limit must be a whole number of 1 or more, not {limit}.")
    client = open_client()
    last = None if after is None else client.jobs().find(find_id(after)).id
    jobs = client.jobs().query(**filters, limit=limit, after=last)
    _check_clusters(client, cluster or ())
    if output.mode.json:
        output.show_document([job_document(job) for job in jobs])
    elif not jobs:
        output.say("No job matches." if any(filters.values()) or after else "There is no job yet.")
    else:
        output.show(job_table(jobs))
        if len(jobs) == limit:
            output.say(f"Older ones: --after {str(jobs[-1].id)[:13]}, or a larger --limit.")


def _state(text: str) -> JobState:
    try:
        return JobState(text.upper())
    except ValueError:
        raise ArgumentError(f"--state is one of {', '.join(JobState).lower()}, not {text!r:.80}.") from None


def _check_clusters(client: "Client", slugs: Sequence[str]) -> None:
    """Raise NotFoundError for a cluster that never was, since an empty list looks like success; deleted ones count."""
    for slug in slugs:
        try:
            client.clusters().find(slug)
        except NotFoundError:
            if not client.jobs().query(clusters=[slug], limit=1):
                raise


@command(app, "get", short_help="Show one job.")
def get_job(job: JobId) -> None:
    """Show one job: its state, tasks, progress and what it has cost."""
    found = open_client().jobs().find(find_id(job))
    if output.mode.json:
        output.show_document(job_document(found))
        return
    output.show(job_facts(found))
    if found.state is JobState.FAILED:
        output.say(f"What failed: 'tilebox-celery job tasks {found.id} --failed'.")
    elif not found.state.is_terminal:
        output.say(f"Why a task does not run: 'tilebox-celery job why {found.id}'.")


job_tasks.add_to(app)
job_wait.add_to(app)


@command(app, "why")
def explain_job(
    job: JobId,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", help="How many tasks at most.")] = 100,
) -> None:
    """Say for each queued task why it does not run."""
    reasons = open_client().jobs().why(find_id(job))
    if output.mode.json:
        output.show_document([why_document(each) for each in reasons])
        return
    if not reasons:
        output.say("No task is queued.")
        return
    rows = [(each.display, each.reason) for each in reasons[:limit]]
    output.show(output.table(("TASK", "WHY IT DOES NOT RUN"), rows, wrap="WHY IT DOES NOT RUN"))
    if len(reasons) > limit:
        output.say(f"... and {len(reasons) - limit:,} more: --limit {len(reasons)}.")


@command(app, "retry", short_help="Run the failed tasks of a job again.")
def retry_job(
    job: JobId,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, only say what would run.")] = False,
) -> None:
    """Run the failed tasks of a job again, and let a canceled one go on."""
    jobs, job_id = open_client().jobs(), find_id(job)
    before = jobs.find(job_id)
    count = jobs.retry(job_id, dry_run=dry_run)
    if output.mode.json:
        output.show_document({"id": str(job_id), "tasks": count, "dry_run": dry_run})
        return
    would = "would " if dry_run else ""
    if count == 0 and (not before.canceled or before.state is JobState.COMPLETED):
        nothing = "nothing would change" if dry_run else "nothing changed"
        output.show(f"No task of the job has failed, and it is {before.state}: {nothing}.")
    elif count == 0:
        output.show(f"No task of the job has failed; it {'would go' if dry_run else 'goes'} on.")
    else:
        what = counted(count, "failed task")
        output.show(f"{what} {would}run{'' if would or count > 1 else 's'} again.")


@command(app, "cancel", short_help="Cancel a job; 'retry' lets it go on.")
def cancel_job(job: JobId) -> None:
    """Cancel a job: nothing of it is started any more, running tasks may end; 'retry' lets it go on."""
    jobs = open_client().jobs()
    job_id = find_id(job)
    jobs.cancel(job_id)
    found = jobs.find(job_id)
    if output.mode.json:
        output.show_document(job_document(found))
    elif found.state is JobState.COMPLETED:
        output.say(f"Job {job_id} was completed already.")
    else:
        output.say(f"Job {job_id} is {found.state}; 'tilebox-celery job retry {job_id}' lets it go on.")
