"""``tilebox-celery db prune``: delete what ended long ago."""

import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.framework import ask, command
from tilebox_celery.cli.opening import open_checked_ledger
from tilebox_celery.cli.spans import parse_span
from tilebox_celery.model.text import counted

if TYPE_CHECKING:
    from tilebox_celery.postgres.connection import Connection

_BATCH = 50
"""Jobs of one transaction at most: claims wait for none of it for long."""
_LONGEST_REST = 1.0


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "prune", short_help="Delete old completed jobs.")
    def prune_ledger(
        before: Annotated[
            str, typer.Option("--before", metavar="TIME", help="Delete what was completed longer ago than this.")
        ] = "30d",
        caches: Annotated[bool, typer.Option("--caches", help="Delete the job caches of these jobs, too.")] = False,
        cache: Annotated[Path, typer.Option("--cache", metavar="DIR", help="Where the job caches are.")] = Path(
            "cache"
        ),
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    ) -> None:
        """Delete completed jobs with their tasks; failed and canceled ones stay, since they can be retried."""
        from tilebox_celery.ledger.session import translating

        age = parse_span("--before", before)
        ledger = open_checked_ledger()
        with ledger.connect(name="tilebox-celery prune") as connection, translating(ledger.url):
            limit, count = _find(connection, age)
            if count:
                what = f"{counted(count, 'job')} completed before {output.moment(limit)}"
                ask(f"Delete {what}{' and their caches' if caches else ''}", yes)
            pruned = cleared = 0
            for job in _prune(connection, limit, count):
                pruned += 1
                cleared += caches and _clear(cache / str(job))
        if output.mode.json:
            document = {"before": output.iso(limit), "jobs": pruned}
            output.show_document(document | ({"caches": cleared} if caches else {}))
        else:
            output.show(
                f"Deleted {counted(pruned, 'job')} and {counted(cleared, 'cache')}."
                if caches
                else f"Deleted {counted(pruned, 'job')}."
            )


def _find(connection: "Connection", age: timedelta) -> tuple[datetime, int]:
    row = connection.execute(
        "select at, (select count(*) from tbx.jobs j where j.finished_at < at) from (select tbx.now() - %s as at) x",
        (age,),
    ).fetchone()
    assert row is not None, "a select without a where gives a row"
    return row[0], row[1]


def _prune(connection: "Connection", before: datetime, count: int) -> Iterator[UUID]:
    from rich.progress import Progress

    console = output.stderr()
    with Progress(console=console, transient=True, disable=output.mode.json or not console.is_terminal) as progress:
        bar = progress.add_task("Deleting jobs", total=count)
        begun = time.monotonic()
        while rows := connection.execute("select tbx.prune(%s, %s)", (before, _BATCH)).fetchall():
            yield from (row[0] for row in rows)
            progress.advance(bar, len(rows))
            time.sleep(min(_LONGEST_REST, time.monotonic() - begun))  # half of the time is that of workers
            begun = time.monotonic()


def _clear(folder: Path) -> bool:
    if not folder.is_dir() or folder.is_symlink():
        return False
    shutil.rmtree(folder)
    return True
