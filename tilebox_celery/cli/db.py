"""``tilebox-celery db``: the schema of the ledger, and what is old in it."""

from typing import TYPE_CHECKING, Annotated

import typer

from tilebox_celery.cli import output, pruning
from tilebox_celery.cli.framework import command, noun
from tilebox_celery.cli.opening import settings
from tilebox_celery.cli.spans import parse_span
from tilebox_celery.errors import TileboxCeleryError
from tilebox_celery.settings import redact_url

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tilebox_celery.ledger.upgrade import OlderRunner
    from tilebox_celery.postgres.connection import Connection

app = noun("Upgrade and check the ledger, delete old jobs.")


@command(app, "upgrade", short_help="Bring tables and functions up to date.")
def bring_up_to_date(
    wait: Annotated[
        str, typer.Option("--wait", metavar="TIME", help="How long to wait for workers of older code to end.")
    ] = "60s",
    now: Annotated[bool, typer.Option("--now", help="Do not wait; what older workers run may be repeated.")] = False,
) -> None:
    """Bring the tables and functions of the ledger to this version; forward only, and safe to repeat.

    Workers whose code is too old for it end by themselves first: they claim nothing more, and end their tasks.
    """
    from tilebox_celery.ledger.open import ledger_schema
    from tilebox_celery.ledger.session import translating
    from tilebox_celery.ledger.upgrade import sentence_of, upgrade_ledger

    schema, patience = ledger_schema(), parse_span("--wait", wait)
    url, home, connection = _connect()
    told = False

    def tell(older: "Sequence[OlderRunner]") -> None:
        nonlocal told
        told = True
        output.say(sentence_of(older))

    with connection, translating(url):
        try:
            applied = upgrade_ledger(connection, schema, wait=patience, now=now, tell=tell, home=home)
        except KeyboardInterrupt:
            if told:
                output.say(
                    "Stopped: tables and functions are as they were, and workers of older code go on ending. "
                    "Run 'tilebox-celery db upgrade' again."
                )
            raise
    if output.mode.json:
        output.show_document(
            {"ledger": redact_url(url), "applied": applied, "version": schema.version, "functions": schema.digest}
        )
        return
    for name in applied:
        output.show(f"applied {name}")
    output.say(f"The ledger has schema {schema.version} with functions {schema.digest}.")


@command(app, "check", short_help="Say whether the ledger fits this version.")
def check_ledger() -> None:
    """Say whether the ledger fits this version; exit 1 if it does not."""
    from tilebox_celery.errors import LedgerVersionMismatch
    from tilebox_celery.ledger.open import ledger_schema
    from tilebox_celery.ledger.session import translating

    schema = ledger_schema()
    url, home, connection = _connect()
    problem = None
    with connection, translating(url):
        version, digest = schema.state(connection)
        try:
            schema.check(connection, home)
        except LedgerVersionMismatch as error:
            problem = str(error)
    if output.mode.json:
        output.show_document(
            {
                "ledger": redact_url(url),
                "fits": problem is None,
                "problem": problem,
                "version": version,
                "functions": digest,
                "code_version": schema.version,
                "code_functions": schema.digest,
            }
        )
    elif problem is None:
        output.show(f"The ledger fits: schema {version} with functions {digest}.")
    if problem is not None:
        raise TileboxCeleryError(problem)


pruning.add_to(app)


def _connect() -> "tuple[str, Path | None, Connection]":
    from tilebox_celery.postgres.connection import connect

    chosen = settings()
    url, home = chosen.ledger_url, None
    if url is None:
        from tilebox_celery.embedded import start

        url = start(chosen.home, chosen.idle_stop).ledger_url
        home = chosen.home
    return url, home, connect(url)
