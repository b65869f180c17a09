"""``tilebox-celery db``: the schema of the ledger, and what is old in it."""

from typing import TYPE_CHECKING

from tilebox_celery.cli import output, pruning
from tilebox_celery.cli.framework import command, noun
from tilebox_celery.cli.opening import settings
from tilebox_celery.errors import TileboxCeleryError
from tilebox_celery.settings import redact_url

if TYPE_CHECKING:
    from tilebox_celery.postgres.connection import Connection

app = noun("Upgrade and check the ledger, delete old jobs.")


@command(app, "upgrade", short_help="Bring tables and functions up to date.")
def upgrade_ledger() -> None:
    """Bring the tables and functions of the ledger to this version; forward only, and safe to repeat."""
    from tilebox_celery.ledger.open import ledger_schema

    schema = ledger_schema()
    url, connection = _connect()
    with connection:
        applied = schema.upgrade(connection)
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

    schema = ledger_schema()
    url, connection = _connect()
    problem = None
    with connection:
        version, digest = schema.state(connection)
        try:
            schema.check(connection)
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


def _connect() -> "tuple[str, Connection]":
    from tilebox_celery.postgres.connection import connect

    chosen = settings()
    url = chosen.ledger_url
    if url is None:
        from tilebox_celery.embedded import start

        url = start(chosen.home, chosen.idle_stop).ledger_url
    return url, connect(url)
