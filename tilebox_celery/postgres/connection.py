"""Open psycopg connections for ledger calls, and turn their errors into one clear sentence."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tilebox_celery.errors import ArgumentError, AuthenticationError, LedgerUnavailable
from tilebox_celery.settings import check_ledger_url, redact_text, redact_url

Connection = psycopg.Connection[tuple[Any, ...]]

# Plans of ledger calls must not flip to a scan when statistics are young or old: every statement has its index.
PLANNER = (
    "-c enable_seqscan=off -c enable_hashjoin=off -c enable_bitmapscan=off -c enable_mergejoin=off"
    " -c plan_cache_mode=force_generic_plan -c jit=off -c idle_in_transaction_session_timeout=60s"
)


def connect(url: str, *, durable: bool = True, name: str = "tilebox-celery", planner: str = PLANNER) -> Connection:
    """Open a connection in autocommit mode, by default for ledger calls.

    Args:
        url: ``postgresql://`` URL of the ledger.
        durable: False lets intermediate finishes commit without waiting for the disk; what was lost in a crash of
            the server is run again.
        name: Shown in ``pg_stat_activity``.
        planner: Server options, ``-c name=value`` each; by default those that ledger calls need.

    Raises:
        ArgumentError: The URL cannot be read.
        AuthenticationError: The server refused the login.
        LedgerUnavailable: The server cannot be reached.
    """
    options = planner + ("" if durable else " -c synchronous_commit=off")
    given = _read(url)
    if given.get("options"):
        options = f"{given['options']} {options}"
    conninfo = make_conninfo(url, options=options, application_name=name)
    with sentences(url):
        connection = psycopg.connect(conninfo, autocommit=True, connect_timeout=int(given.get("connect_timeout") or 10))
        connection.prepare_threshold = 0
        return connection


@contextmanager
def sentences(url: str) -> Iterator[None]:
    """Translate psycopg's connection errors, with the password taken out."""
    try:
        yield
    except psycopg.OperationalError as error:
        text = _one_line(str(error), url)
        if error.sqlstate in ("28000", "28P01") or re.search(
            r"authentication failed|no password supplied|does not exist", text
        ):
            raise AuthenticationError(
                f"Postgres at {redact_url(url)} refused the login: {text}. Check TILEBOX_CELERY_LEDGER_URL."
            ) from None
        raise LedgerUnavailable(
            f"The ledger at {redact_url(url)} cannot be reached: {text}. Is Postgres running, and is "
            "TILEBOX_CELERY_LEDGER_URL right? ('tilebox-celery doctor' looks.)"
        ) from None


def _read(url: str) -> dict[str, Any]:
    check_ledger_url(url)
    try:
        given = conninfo_to_dict(url)
        int(given.get("connect_timeout") or 10)
    except (psycopg.ProgrammingError, ValueError):  # its text may quote a part of the password
        raise ArgumentError(
            f"The ledger URL {redact_url(url)} cannot be read: after its ? it may name only options that libpq knows, "
            "and special characters are percent-encoded."
        ) from None
    return given


def _one_line(text: str, url: str) -> str:
    text = " ".join(redact_text(text.replace("connection failed: ", ""), url).split())
    return re.sub(r" ?Is the server running [^?]*\?", "", text).rstrip(".")  # ours follows, and asks it once
