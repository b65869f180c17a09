"""``tilebox-celery job submit``: a task by its name, or by its class, with JSON as input."""

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.documents import job_document
from tilebox_celery.cli.framework import command
from tilebox_celery.cli.job_wait import wait_and_show
from tilebox_celery.cli.loading import load
from tilebox_celery.cli.opening import open_client
from tilebox_celery.cli.spans import parse_span
from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.job import Job
from tilebox_celery.model.submission import MAX_RETRIES
from tilebox_celery.model.task import Task

if TYPE_CHECKING:
    from tilebox_celery.client.jobs import JobClient


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "submit")
    def submit_job(
        task: Annotated[
            str,
            typer.Option("--task", "-t", metavar="TASK", help="NAME, NAME@v1.2, or module:Class of the root task."),
        ],
        given: Annotated[
            str | None, typer.Option("--input", "-i", metavar="JSON", help="Its input: JSON, @file, or - for stdin.")
        ] = None,
        cluster: Annotated[
            str | None, typer.Option("--cluster", "-c", metavar="SLUG", help="Where it runs; else the default cluster.")
        ] = None,
        name: Annotated[
            str | None, typer.Option("--name", metavar="NAME", help="Of the job; else that of the task.")
        ] = None,
        max_retries: Annotated[
            int, typer.Option("--max-retries", metavar="N", help="How often it runs again after a failure.")
        ] = 0,
        wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for the job; exit as 'job wait' does.")] = False,
        timeout: Annotated[
            str | None, typer.Option("--timeout", metavar="TIME", help="With --wait: 30s, 5m, 2h.")
        ] = None,
    ) -> None:
        """Submit a job and print its id."""
        seconds = None if timeout is None else parse_span("--timeout", timeout)
        if timeout is not None and not wait:
            raise ArgumentError("--timeout needs --wait: without it nothing waits.")
        if not 0 <= max_retries <= MAX_RETRIES:
            raise ArgumentError(
                f"--max-retries must be a whole number from 0 to {MAX_RETRIES:,}, not {max_retries!s:.80}."
            )
        root = make_task(task, read_input(given))
        jobs = open_client().jobs()
        job = jobs.submit(name if name is not None else type(root).__name__, root, cluster, max_retries)
        if not output.mode.json:
            _say_if_nobody_takes_it(jobs, job)
        if wait:
            wait_and_show(jobs, job.id, seconds)
        elif output.mode.json:
            output.show_document(job_document(jobs.find(job)))
        else:
            output.show(str(job.id))
            output.say(f"See 'tilebox-celery job watch {job.id}'.")


def _say_if_nobody_takes_it(jobs: "JobClient", job: Job) -> None:
    for why in jobs.why(job):
        if why.reason.startswith("no live runner"):
            output.say(f"It waits: {why.reason}.")


def read_input(given: str | None) -> str | None:
    """Return the JSON text that ``--input`` names.

    Raises:
        ArgumentError: The file cannot be read, or stdin is empty.
    """
    if given == "-":
        if not (text := sys.stdin.read()).strip():
            raise ArgumentError("--input - found nothing on stdin: leave it out for a task without input.")
        return text
    if given is None or not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ArgumentError(f"The input file {given[1:]} cannot be read: {reason}.") from error


def make_task(text: str, given: str | None) -> Task:
    """Make the root task.

    Args:
        text: ``module:Class``, whose fields the input must fit; or ``NAME[@version]``, whose input is taken as it is.
        given: JSON: one value for a class with one field, an object for one with several, None for one without.

    Raises:
        ArgumentError: The input is no JSON, or the class does not exist or does not take it.
    """
    value = None if given is None or not given.strip() else _parse(given)
    if ":" in text and "/" not in text:
        return _instance(text, value, given)
    head, at, version = text.rpartition("@")
    name, version = (head, version) if at and head else (text, "v0.0")
    try:
        identifier = TaskIdentifier.parse((name, version))
    except TypeError as error:
        raise ArgumentError(f"--task {text!r:.80}: {error}") from error
    return _stand_in(identifier, value, has_input=given is not None and bool(given.strip()))


def _instance(text: str, value: Any, given: str | None) -> Task:
    from tilebox_celery.model.inputs import deserialize

    found = load(text)
    if not (isinstance(found, type) and issubclass(found, Task) and found is not Task):
        raise ArgumentError(f"{text} is not a task class.")
    return deserialize(found, b"" if given is None or not given.strip() else json.dumps(value).encode())


def _stand_in(identifier: TaskIdentifier, value: Any, *, has_input: bool) -> Task:
    """Make a task of a class with the same identifier and wire form: one field of any type is the bare value."""
    body: dict[str, Any] = {"identifier": staticmethod(lambda: (identifier.name, identifier.version))}
    if has_input:
        body["__annotations__"] = {"value": Any}
    cls: Any = type(identifier.name, (Task,), body)
    task: Task = cls(value) if has_input else cls()
    return task


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ArgumentError("--input is nested too deeply: a few hundred levels can be read.") from error
    except ValueError as error:
        raise ArgumentError(f"--input is not JSON: {error}. (A text needs quotes: --input '\"text\"')") from error


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name:.80} is no JSON number")
