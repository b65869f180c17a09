"""``tilebox-celery worker``, ``beat`` and ``flower``: stock Celery commands with the right app."""

import importlib.util
import ipaddress
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tilebox_celery.cli.framework import command
from tilebox_celery.cli.loading import load_runner
from tilebox_celery.cli.opening import open_client, settings
from tilebox_celery.errors import ArgumentError, BrokerUnavailable, TileboxCeleryError
from tilebox_celery.settings_files import config_path

if TYPE_CHECKING:
    from celery import Celery

PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}
NO_CHATTER = ("--without-gossip", "--without-mingle", "--without-heartbeat")
"""What workers tell each other is of no use here, and costs messages."""

Arguments = Annotated[list[str] | None, typer.Argument(metavar="-- OPTIONS", help="Passed on as they are.")]
Cluster = Annotated[
    str | None, typer.Option("--cluster", metavar="SLUG", help="Where it works; else the default cluster.")
]
Cache = Annotated[Path | None, typer.Option("--cache", metavar="DIR", help="Folder of the job cache.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""

    @command(
        app, "worker", short_help="Run Celery's worker command as a runner.", as_json=False, context_settings=PASS_ON
    )
    def run_worker(
        modules: Annotated[
            list[str],
            typer.Option("--module", "-m", metavar="MODULE[:NAME]", help="Where the tasks are, or a runner."),
        ],
        cluster: Cluster = None,
        cache: Cache = None,
        arguments: Arguments = None,
    ) -> None:
        """Run Celery's own worker command as a runner, such as: worker -m my.module -- -c 4 -E.

        'worker -m my.module -- --help' lists Celery's options.
        """
        check_pool(arguments or ())
        runner = load_runner(open_client(), modules, cluster, cache)
        run_celery(runner.celery_app, ["worker", *NO_CHATTER, *(arguments or ())])

    @command(app, "beat", short_help="Run Celery's beat command.", as_json=False, context_settings=PASS_ON)
    def run_beat(
        modules: Annotated[
            list[str] | None,
            typer.Option("--module", "-m", metavar="MODULE[:NAME]", help="Where the tasks are, or a runner."),
        ] = None,
        cluster: Cluster = None,
        arguments: Arguments = None,
    ) -> None:
        """Run Celery's own beat command, such as: beat -- --max-interval 10."""
        given = list(arguments or ())
        if importlib.util.find_spec("tilebox_celery.beat") and not {"-S", "--scheduler"} & set(given):
            given = ["-S", "tilebox_celery.beat:LedgerScheduler", *given]
        app = load_runner(open_client(), modules, cluster).celery_app if modules else _bare_app("beat")
        run_celery(app, ["beat", *given])

    @command(
        app, "flower", short_help="Run Flower, on 127.0.0.1 and read-only.", as_json=False, context_settings=PASS_ON
    )
    def run_flower(arguments: Arguments = None) -> None:
        """Run Flower on 127.0.0.1:5555, read-only, such as: flower -- --port=5556.

        Other addresses need a login (--basic_auth=NAME:PASSWORD, or FLOWER_BASIC_AUTH).
        """
        check_flower_installed()
        given = [f"--conf={config_path('flowerconfig.py')}", *(arguments or ())]
        check_flower(given)
        run_celery(_bare_app("flower"), ["flower", *given])


def run_celery(app: "Celery", arguments: Sequence[str]) -> None:
    """Run a command of Celery in this process, and end with its exit code.

    Raises:
        ArgumentError: Celery does not know an option.
    """
    import click
    from celery.bin.celery import celery

    sys.argv = ["celery", *arguments]  # Flower and --detach look there
    celery.params[0].default = app  # what Celery.start does; that one forgets the exit code
    try:
        code = celery.main(args=list(arguments), prog_name="celery", standalone_mode=False)
    except click.ClickException as error:
        text = " ".join(error.format_message().split()).rstrip(".")
        raise ArgumentError(f"{text}. ('celery {arguments[0]} --help' lists what it takes.)") from error
    finally:
        celery.params[0].default = None
    raise typer.Exit(code if isinstance(code, int) else 0)


def check_pool(arguments: Sequence[str]) -> None:
    """Raise ArgumentError where the options of Celery's worker name a pool whose slots cannot run tasks."""
    for option, value in zip(arguments, [*arguments[1:], ""], strict=True):
        name, _, given = option.partition("=")
        pool = (given or value) if name in ("-P", "--pool") else option[2:] if option.startswith("-P") else ""
        if pool in ("gevent", "eventlet"):
            raise ArgumentError(f"Pool {pool!r} cannot run tasks: take prefork, threads or solo.")


def check_flower_installed() -> None:
    """Raise TileboxCeleryError unless Flower is installed."""
    if importlib.util.find_spec("flower") is None:
        raise TileboxCeleryError("Flower is not installed: pip install 'tilebox-celery[flower]'.")


def check_flower(arguments: Sequence[str]) -> None:
    """Refuse a Flower that strangers could look into.

    Args:
        arguments: As Flower gets them; the environment counts, too.

    Raises:
        ArgumentError: It would listen beyond this machine without a login, or does not know an option.
    """
    from flower.command import apply_env_options, apply_options, is_flower_option
    from tornado import options as tornado

    for each in arguments:
        if not (each.startswith("--") and is_flower_option(each)):  # Flower itself would drop it silently
            raise ArgumentError(
                f"Flower has no option {each.partition('=')[0]}: 'flower -- --help' lists what it takes."
            )
    try:
        apply_env_options()
        apply_options("flower", arguments)
    except (tornado.Error, ValueError, OSError) as error:
        raise ArgumentError(f"Flower cannot be started like this: {error}.") from error
    chosen: Any = tornado.options
    if chosen.unix_socket or _is_loopback(chosen.address) or chosen.basic_auth or chosen.auth:
        return
    raise ArgumentError(
        f"Flower would listen on {chosen.address or 'all addresses'} without a login: set "
        "FLOWER_BASIC_AUTH=NAME:PASSWORD, or leave --address out."
    )


def _is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False  # also the empty address, which means all


def _bare_app(name: str) -> "Celery":
    from tilebox_celery.dispatch.app import make_app

    chosen = settings()
    broker = chosen.broker_url
    if broker is None and chosen.ledger_url is None:
        from tilebox_celery.embedded import start

        broker = start(chosen.home, chosen.idle_stop).broker_url
    if broker is None:
        raise BrokerUnavailable(f"No broker is configured, and {name} needs one: set TILEBOX_CELERY_BROKER_URL.")
    return make_app(f"tilebox_celery.{name}", broker)
