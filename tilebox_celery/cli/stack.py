"""``tilebox-celery dev`` and ``down``: everything on one machine."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.framework import command
from tilebox_celery.cli.loading import load_runner
from tilebox_celery.cli.opening import open_client, settings
from tilebox_celery.cli.pools import Pool
from tilebox_celery.cli.runner import run
from tilebox_celery.settings import redact_url

if TYPE_CHECKING:
    from tilebox_celery.client.client import Client


def add_to(app: typer.Typer) -> None:
    """Register the commands."""

    @command(app, "dev", short_help="Run servers and a runner here, until Ctrl-C.")
    def run_dev(
        modules: Annotated[
            list[str] | None,
            typer.Option("--module", "-m", metavar="MODULE[:NAME]", help="Where your tasks are; again for several."),
        ] = None,
        number: Annotated[int, typer.Option("--number", "-n", metavar="N", min=1, max=1024, help="Tasks at once.")] = 2,
        cluster: Annotated[
            str | None,
            typer.Option("--cluster", "-c", metavar="SLUG", help="Where they run; else the default cluster."),
        ] = None,
        cache: Annotated[Path | None, typer.Option("--cache", metavar="DIR", help="Folder of the job cache.")] = None,
    ) -> None:
        """Run servers and a runner on this machine until Ctrl-C, and say what runs where.

        Changed code is not loaded again: stop it and start it.
        """
        client = open_client()
        runner = None if not modules else load_runner(client, modules, cluster, cache)
        _say_where(client)
        if runner is not None:
            run(runner, number, Pool.PREFORK)
            return
        ended = _signals()
        output.say("No tasks: give their module as -m my.module. Ctrl-C stops.")
        ended.wait()

    @command(app, "down", short_help="Stop the embedded servers now.")
    def stop_stack() -> None:
        """Stop the embedded servers now, whoever uses them; jobs go on when they are started again."""
        from tilebox_celery.embedded import down

        home = settings().home
        stopped = down(home)
        if output.mode.json:
            output.show_document({"home": str(home), "stopped": stopped})
        else:
            output.say(f"Stopped the servers in {home}." if stopped else f"Nothing was running in {home}.")


def _say_where(client: "Client") -> None:
    from tilebox_celery.embedded import start

    chosen = client.settings
    ledger, broker = chosen.ledger_url, chosen.broker_url
    if ledger is None:
        stack = start(chosen.home, chosen.idle_stop)
        ledger, broker = stack.ledger_url, broker or stack.broker_url
    rows = [("Ledger", redact_url(ledger)), ("Broker", redact_url(broker) if broker else "none")]
    if chosen.ledger_url is None:
        rows += [("Data", str(chosen.home)), ("Logs", str(chosen.home / "log"))]
    output.stderr().print(output.facts([*rows, ("Cluster", client.clusters().default().slug)]))


def _signals() -> threading.Event:
    """Return what a signal will set."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    return ended
