"""Look at Postgres: version, settings, schema, pooler, clock, runners."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tilebox_celery.cli import output
from tilebox_celery.cli.checks import Finding, failure, fine, unreachable, warning
from tilebox_celery.cli.version import package_version
from tilebox_celery.errors import AuthenticationError, InternalServerError, LedgerUnavailable, LedgerVersionMismatch
from tilebox_celery.model.text import counted
from tilebox_celery.settings import Settings, redact_url

if TYPE_CHECKING:
    from tilebox_celery.postgres.connection import Connection

OLDEST = 14
"""The oldest PostgreSQL that has all that the functions use and still gets fixes."""
SKEW_SECONDS = 2.0
SPARE_CONNECTIONS = 10

WRONG_SETTINGS = (
    ("fsync", "off", True, "a crash of the machine can destroy the ledger: set fsync = on"),
    ("full_page_writes", "off", True, "a crash of the machine can destroy the ledger: set full_page_writes = on"),
    ("synchronous_commit", "off", False, "a crash may forget submitted jobs: set synchronous_commit = on"),
    ("default_transaction_read_only", "on", True, "nothing can be written: set default_transaction_read_only = off"),
)
WRONG_TIMEOUTS = ("statement_timeout", "idle_session_timeout", "transaction_timeout")


def look_at_ledger(url: str, settings: Settings) -> Iterator[Finding]:
    """Yield what there is to say about a ledger.

    Args:
        url: Of the ledger.
        settings: Of this process.
    """
    try:
        yield from _look(url, settings)
    except (LedgerUnavailable, AuthenticationError, InternalServerError) as error:
        yield unreachable("ledger", str(error))


def _look(url: str, settings: Settings) -> Iterator[Finding]:
    from tilebox_celery.ledger.session import translating
    from tilebox_celery.postgres.connection import connect

    with connect(url, name="tilebox-celery doctor") as connection, translating(url):
        began = time.monotonic()
        connection.execute("select 1")
        yield _version(connection, url, time.monotonic() - began)
        yield _pooler(connection)
        yield from _settings(connection)
        yield _connections(connection)
        yield _clock(connection)
        schema = _schema(connection)
        yield schema
        yield from _binds(connection)
    if schema.level == "ok":
        yield from _runners(url, settings)


def _version(connection: "Connection", url: str, took: float) -> Finding:
    number = connection.info.server_version // 10000
    version = _shown(connection, "server_version").split()[0]
    text = f"PostgreSQL {version} at {redact_url(url)}, answers in {took * 1000:.1f} ms"
    if number < OLDEST:
        return failure("ledger", text, f"Use PostgreSQL {OLDEST} or newer.")
    return fine("ledger", text)


def _pooler(connection: "Connection") -> Finding:
    """A pooler hands out keys of its own, so the process that it names is not the one that answers."""
    row = connection.execute("select pg_backend_pid()").fetchone()
    if row is not None and row[0] != connection.info.backend_pid:
        return failure(
            "pooler",
            "A connection pooler such as PgBouncer stands between this machine and Postgres",
            "Name Postgres itself in TILEBOX_CELERY_LEDGER_URL: NOTIFY and session locks get lost in a pooler.",
        )
    return fine("pooler", "connected to Postgres directly")


def _settings(connection: "Connection") -> Iterator[Finding]:
    row = connection.execute("select pg_is_in_recovery()").fetchone()
    if row is not None and row[0]:
        yield failure("settings", "this server is a standby", "Name the primary server in TILEBOX_CELERY_LEDGER_URL.")
    found = False
    for name, wrong, is_failure, advice in WRONG_SETTINGS:
        if _shown(connection, name) == wrong:
            found = True
            yield (failure if is_failure else warning)(
                "settings", f"{name} is {wrong}", f"{advice[0].upper()}{advice[1:]}."
            )
    for name in WRONG_TIMEOUTS:
        if connection.execute("select 1 from pg_settings where name = %s", (name,)).fetchone() is None:
            continue
        if (value := _shown(connection, name)) != "0":
            found = True
            yield warning(
                "settings", f"{name} is {value}", f"It can end calls and listeners: set {name} = 0 for this user."
            )
    if not found:
        yield fine("settings", "fsync, full_page_writes and synchronous_commit protect the ledger")


def _connections(connection: "Connection") -> Finding:
    most = int(_shown(connection, "max_connections")) - int(_shown(connection, "superuser_reserved_connections"))
    row = connection.execute("select count(*) from pg_stat_activity where backend_type = 'client backend'").fetchone()
    used = int(row[0]) if row is not None else 0
    text = f"{used:,} of {most:,} connections in use"
    if most - used < SPARE_CONNECTIONS:
        return warning("connections", text, "Raise max_connections: each slot keeps one, each runner another two.")
    return fine("connections", text)


def _clock(connection: "Connection") -> Finding:
    before = datetime.now(UTC)
    row = connection.execute("select clock_timestamp()").fetchone()
    after = datetime.now(UTC)
    assert row is not None, "a select without a where gives a row"
    skew = (row[0] - (before + (after - before) / 2)).total_seconds()
    if abs(skew) > SKEW_SECONDS:
        text = f"the clock of this machine is {output.span(abs(skew))} {'behind' if skew > 0 else 'ahead of'} Postgres"
        return warning("clock", text, "Leases do not mind, but ids and logs look confusing: let NTP set both clocks.")
    return fine("clock", f"agrees with Postgres to {max(abs(skew) * 1000, 1):.0f} ms")


def _schema(connection: "Connection") -> Finding:
    from tilebox_celery.ledger.open import ledger_schema

    schema = ledger_schema()
    try:
        schema.check(connection)
    except LedgerVersionMismatch as error:
        text, _, advice = str(error).partition(": ")
        return failure("schema", text, advice[:1].upper() + advice[1:])
    return fine("schema", f"version {schema.version}, functions {schema.digest}")


def _binds(connection: "Connection") -> Iterator[Finding]:
    addresses = _shown(connection, "listen_addresses")
    outside = [
        each for each in addresses.replace(" ", "").split(",") if each not in ("", "localhost", "127.0.0.1", "::1")
    ]
    if not outside:
        return
    try:
        row = connection.execute(
            "select count(*) from pg_hba_file_rules where auth_method = 'trust' and type <> 'local'"
            " and coalesce(address, '') not in ('127.0.0.1', '::1', 'localhost', 'samehost')"
        ).fetchone()
    except Exception:  # only superusers may read it
        return
    if row is not None and row[0]:
        yield failure(
            "open binds",
            f"Postgres listens on {', '.join(outside)} and lets strangers in without a password",
            "Replace 'trust' in pg_hba.conf by 'scram-sha-256'.",
        )


def _runners(url: str, settings: Settings) -> Iterator[Finding]:
    from tilebox_celery.ledger.open import Ledger
    from tilebox_celery.ledger.queries_clusters import list_clusters
    from tilebox_celery.ledger.queries_runners import list_runners

    ledger = Ledger(url, settings)
    try:
        with ledger.reading.connection() as connection:
            runners, clusters = list_runners(connection), list_clusters(connection)
    finally:
        ledger.close()
    live = [each for each in runners if each.is_alive]
    if not live and not clusters:
        advice = "Create the first cluster: 'tilebox-celery cluster create NAME'."
        yield warning("runners", "no cluster, and no live runner", advice)
        return
    if not live:
        yield warning("runners", "no live runner", "Start one: 'tilebox-celery runner start -m my.module'.")
        return
    slots = sum(slot.is_alive for each in live for slot in each.slots)
    where = ", ".join(sorted({each.cluster for each in live}))
    yield fine("runners", f"{len(live):,} live with {counted(slots, 'slot')}, in {where}")
    ours = package_version()
    others = sorted({each.code_version for each in live} - {ours})
    if others:
        yield warning(
            "runners", f"some run version {', '.join(others)}, and this is {ours}", "Start them again with one version."
        )
    silent = [each.name for each in runners if not each.is_alive]
    if silent:
        yield warning(
            "runners", f"silent: {', '.join(silent)}", "Their tasks go to others; see whether they still live."
        )


def _shown(connection: "Connection", name: str) -> str:
    row = connection.execute("select current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row is not None else ""
