"""``tilebox-celery runner``: start runners, and see which are there."""

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.documents import runner_document
from tilebox_celery.cli.framework import command, noun
from tilebox_celery.cli.loading import load_runner
from tilebox_celery.cli.opening import open_checked_ledger, open_client
from tilebox_celery.cli.pools import Pool
from tilebox_celery.model.text import counted

if TYPE_CHECKING:
    from tilebox_celery.runner.task_runner import TaskRunner

app = noun("Start and list runners, which execute tasks.")

Modules = Annotated[
    list[str],
    typer.Option(
        "--module", "-m", metavar="MODULE[:NAME]", help="Where the tasks are, or a runner; again for several."
    ),
]
Cache = Annotated[
    Path | None, typer.Option("--cache", metavar="DIR", help="Folder of the job cache, shared by runners.")
]
Slots = Annotated[int, typer.Option("--number", "-n", metavar="N", min=1, max=1024, help="Tasks at once.")]
PoolOption = Annotated[Pool, typer.Option("--pool", help="Processes, threads, or one task at a time in this process.")]


@command(app, "start", short_help="Start a runner.")
def start_runner(
    modules: Modules,
    cluster: Annotated[
        str | None, typer.Option("--cluster", "-c", metavar="SLUG", help="Where it works; else the default cluster.")
    ] = None,
    number: Slots = 1,
    pool: PoolOption = Pool.PREFORK,
    cache: Cache = None,
    stop_when_idling: Annotated[
        bool, typer.Option("--stop-when-idling", help="End when there is nothing left to do.")
    ] = False,
) -> None:
    """Start a runner; it ends with 0 when a signal has drained it.

    The first Ctrl-C or SIGTERM lets running tasks end for 25 s (TILEBOX_CELERY_GRACE), a second one gives them back
    at once.
    """
    stream = own_stdout()  # before a module is loaded that prints
    runner = load_runner(open_client(), modules, cluster, cache)
    run(runner, number, pool, stream, stop_when_idling=stop_when_idling)


@command(app, "list")
def list_runners(
    cluster: Annotated[str | None, typer.Option("--cluster", "-c", metavar="SLUG", help="Only those of one.")] = None,
) -> None:
    """List the runners that have not left."""
    from tilebox_celery.ledger.queries_runners import list_runners as read_runners

    ledger = open_checked_ledger()
    if cluster is not None:
        ledger.control.cluster_slug(cluster)  # a wrong name is no empty list
    with ledger.reading.connection() as connection:
        runners = read_runners(connection, cluster)
    if output.mode.json:
        output.show_document([runner_document(each) for each in runners])
        return
    if not runners:
        output.say("No runner is there: start one with 'tilebox-celery runner start -m my.module'.")
        return
    rows = [
        (
            each.name,
            each.cluster,
            each.state if each.is_alive else "silent",
            f"{sum(slot.state == 'busy' for slot in each.slots)}/{len(each.slots)}",
            output.ago(each.started_at).removesuffix(" ago"),
            ", ".join(map(str, each.tasks)),
        )
        for each in runners
    ]
    columns = ("RUNNER", "CLUSTER", "STATE", "BUSY", "UP", "TASKS")
    output.show(output.table(columns, rows, right=("BUSY", "UP"), cut="TASKS"))


def run(
    runner: "TaskRunner", number: int, pool: Pool, stream: TextIO | None, *, stop_when_idling: bool = False
) -> None:
    """Run a worker in this process until a signal, or idleness, ends it; say so on the way, to people or a stream."""
    number = 1 if pool is Pool.SOLO else number
    set_up_logging()
    tasks = [str(each) for each in runner.registry.identifiers]
    announce(
        stream,
        {"event": "started", "cluster": runner.cluster, "slots": number, "pool": str(pool), "tasks": tasks},
        f"Runner of cluster {runner.cluster}, {counted(number, 'slot')} ({pool}), for {', '.join(tasks)}.",
    )
    # Root in a container is common, and messages are JSON: there is nothing to be forced as root.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    if stop_when_idling:
        from tilebox_celery.cli.idling import stop_when_idle

        stop_when_idle(runner)
    runner.run_forever(concurrency=number, pool=str(pool))
    announce(stream, {"event": "stopped"}, "Runner stopped.")


def set_up_logging() -> None:
    """Print what tasks log, unless the user's module has said where logs go."""
    from tilebox_celery.observability.logging import configure_console_logging

    if not logging.getLogger("tilebox_celery").handlers and not logging.getLogger().handlers:
        configure_console_logging(logging.DEBUG if output.mode.debug else logging.INFO)


def own_stdout() -> TextIO | None:
    """With --json keep stdout for JSON alone, and return it: what tasks print goes to stderr."""
    if not output.mode.json:
        return None
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream


def announce(stream: TextIO | None, document: dict[str, object], text: str) -> None:
    """Say what happens, as JSON where there is a stream."""
    if stream is None:
        output.say(text)
        return
    import json

    stream.write(json.dumps(document) + "\n")
    stream.flush()
