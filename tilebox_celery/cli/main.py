"""The program ``tilebox-celery``: its nouns, and the commands that stand alone."""

import os
from typing import Annotated

import typer

from tilebox_celery.cli import (
    agent_context,
    celery_commands,
    cluster,
    dataset,
    dataset_delete,
    dataset_query,
    db,
    demo,
    doctor,
    job,
    runner,
    stack,
)
from tilebox_celery.cli import version as version_command
from tilebox_celery.cli.framework import HELP_NAMES, PROGRAM, Root
from tilebox_celery.cli.version import package_version
from tilebox_celery.settings import PREFIX

app = typer.Typer(
    cls=Root,
    name=PROGRAM,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP_NAMES,
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"{PROGRAM} {package_version()}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    ledger_url: Annotated[
        str | None, typer.Option("--ledger-url", metavar="URL", help="Of the ledger: postgresql://...")
    ] = None,
    broker_url: Annotated[
        str | None, typer.Option("--broker-url", metavar="URL", help="Of the broker: redis://... or amqp://...")
    ] = None,
    home: Annotated[
        str | None, typer.Option("--home", metavar="DIR", help="Data directory of the embedded stack.")
    ] = None,
) -> None:
    """Run Tilebox workflows on Celery workers, from a durable Postgres ledger.

    Without any setting everything runs on this machine. TILEBOX_CELERY_LEDGER_URL and TILEBOX_CELERY_BROKER_URL name
    other servers, and do not show their passwords to all users of this machine, as options do.
    """
    for name, value in (("LEDGER_URL", ledger_url), ("BROKER_URL", broker_url), ("HOME", home)):
        if value is not None:
            os.environ[PREFIX + name] = value  # also for the processes that are started


demo.add_to(app)
stack.add_to(app)
app.add_typer(runner.app, name="runner")
app.add_typer(job.app, name="job")
app.add_typer(cluster.app, name="cluster")
dataset_query.add_to(dataset.app)
dataset_delete.add_to(dataset.app)
app.add_typer(dataset.app, name="dataset")
app.add_typer(db.app, name="db")
celery_commands.add_to(app)
doctor.add_to(app)
agent_context.add_to(app)
version_command.add_to(app)


def main() -> None:
    """Run the program; it ends the process."""
    app()


if __name__ == "__main__":
    main()
