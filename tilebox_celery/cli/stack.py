"""``tilebox-celery dev`` and ``down``: everything on one machine."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.celery_commands import check_flower_installed
from tilebox_celery.cli.companion import Companion
from tilebox_celery.cli.framework import command
from tilebox_celery.cli.loading import load_runner
from tilebox_celery.cli.opening import open_client, settings
from tilebox_celery.cli.pools import Pool
from tilebox_celery.cli.runner import announce, own_stdout, run
from tilebox_celery.errors import BrokerUnavailable, TileboxCeleryError
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
        flower: Annotated[
            bool, typer.Option("--flower", help="Run Flower, too, on http://127.0.0.1:5555, if it is installed.")
        ] = False,
    ) -> None:
        """Run servers and a runner on this machine until Ctrl-C or 'down', and say what runs where.

        Changed code is not loaded again: stop it and start it. With --json the first line says where the servers are.
        """
        stream = own_stdout()  # before a module is loaded that prints
        if flower:
            check_flower_installed()
        client = open_client()
        runner = None if not modules else load_runner(client, modules, cluster, cache)
        _say_where(client, stream, flower=flower)
        embedded = client.settings.home if client.settings.ledger_url is None else None
        companion = Companion(embedded, flower=flower)
        stopped = False
        try:
            if runner is None:
                ended = _signals()
                output.say("No tasks: give their module as -m my.module. Ctrl-C stops.")
                ended.wait()
            else:
                runner.celery_app.conf.worker_send_task_events = flower  # what Flower shows
                run(runner, number, Pool.PREFORK, stream)
        except TileboxCeleryError:
            if not (stopped := companion.end()):
                raise
        finally:
            stopped = companion.end() or stopped
        if stopped:
            announce(
                stream, {"event": "servers stopped"}, f"The servers in {embedded} were stopped, so this ends, too."
            )

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


def _say_where(client: "Client", stream: TextIO | None, *, flower: bool) -> None:
    from tilebox_celery.embedded import start

    chosen = client.settings
    ledger, broker = chosen.ledger_url, chosen.broker_url
    if ledger is None:
        stack = start(chosen.home, chosen.idle_stop)
        ledger, broker = stack.ledger_url, broker or stack.broker_url
    if flower and broker is None:
        raise BrokerUnavailable("No broker is configured, and Flower needs one: set TILEBOX_CELERY_BROKER_URL.")
    home = chosen.home if chosen.ledger_url is None else None
    places = {
        "ledger": redact_url(ledger),
        "broker": redact_url(broker) if broker else None,
        "home": None if home is None else str(home),
        "logs": None if home is None else str(home / "log"),
        "cluster": client.clusters().default().slug,
    }
    if stream is not None:
        announce(stream, {"event": "servers", **places}, "")
        return
    titles = {"ledger": "Ledger", "broker": "Broker", "home": "Data", "logs": "Logs", "cluster": "Cluster"}
    rows = [(titles[name], text or "none") for name, text in places.items() if text or name == "broker"]
    output.stderr().print(output.facts([*rows, *([("Flower", "http://127.0.0.1:5555")] if flower else [])]))


def _signals() -> threading.Event:
    """Return what a signal will set."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    return ended
