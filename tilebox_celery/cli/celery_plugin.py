"""``celery -A my_runner:app tilebox ...``: the same commands, on the ledger of that app's runner."""

import os
from typing import Any

import click

from tilebox_celery.settings import PREFIX


@click.command(
    "tilebox",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
    short_help="Tilebox workflows: jobs, clusters, runners.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def tilebox(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Run a command of tilebox-celery on the ledger of an app's runner."""
    from tilebox_celery.cli.main import app as program

    runner: Any = getattr(getattr(context.obj, "app", None), "tilebox_runner", None)
    if runner is not None:
        chosen = runner.settings
        for name, value in (
            ("LEDGER_URL", chosen.ledger_url),
            ("BROKER_URL", chosen.broker_url),
            ("HOME", chosen.home),
        ):
            if value is not None:
                os.environ[PREFIX + name] = str(value)
    program(args=list(arguments))
