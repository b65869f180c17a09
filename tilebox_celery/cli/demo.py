"""``tilebox-celery demo``: the demo on a real satellite scene."""

from pathlib import Path
from typing import Annotated

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.framework import called, command


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "demo", short_help="Process a real Landsat scene on two workers.")
    def show_demo(
        context: typer.Context,
        kill: Annotated[
            bool, typer.Option("--kill", help="Kill a worker with -9 on the way; nothing is lost.")
        ] = False,
        out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where the pictures go.")] = None,
        pace: Annotated[
            float | None, typer.Option("--pace", metavar="SECONDS", min=0, help="How long tasks rest, to be watched.")
        ] = None,
    ) -> None:
        """Process a real Landsat scene with two worker processes, in less than a minute."""
        from tilebox_celery.demo.main import run_demo

        pauses = {} if pace is None else {"pace": pace}
        raise typer.Exit(run_demo(kill=kill, json=output.mode.json, out=out, program=called(context), **pauses))
