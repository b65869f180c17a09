"""Open the ledger that the settings name: the configured one, or the embedded stack's."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from tilebox_celery.ledger.control import LedgerControl, Publish, send_nothing
from tilebox_celery.ledger.routes import RouteIds
from tilebox_celery.ledger.session import CallSession
from tilebox_celery.ledger.upgrade import OlderRunner, sentence_of, upgrade_ledger
from tilebox_celery.postgres.connection import Connection, connect
from tilebox_celery.postgres.migrate import Schema
from tilebox_celery.settings import Settings, check_ledger_url, redact_url

if TYPE_CHECKING:
    from tilebox_celery.ledger.reading import Reading

logger = logging.getLogger("tilebox_celery.ledger")

DEV_CLUSTER = "dev-cluster"
EMBEDDED_WAIT = timedelta(seconds=15)
"""For workers of older code, which learn of an upgrade by their next heartbeat."""


class Ledger:
    """One ledger as this process sees it: calls of clients, reads, and connections for whoever needs his own.

    Args:
        url: ``postgresql://``, with the schema of this code.
        settings: Of this process.
        broker_url: Where wake-ups go as messages; None if no broker is configured.
        is_embedded: The servers are those of the data directory.
        publish: Gets the wake-ups that must go out as messages.
        actor: Who acts, for the audit.
    """

    def __init__(
        self,
        url: str,
        settings: Settings,
        *,
        broker_url: str | None = None,
        is_embedded: bool = False,
        publish: Publish = send_nothing,
        actor: str | None = None,
    ) -> None:
        self.url = url
        self.settings = settings
        self.broker_url = broker_url
        self.is_embedded = is_embedded
        self.routes = RouteIds()
        # None of these refers to the ledger: without a circle, what is dropped is closed at once.
        self.connect = Connector(url, settings if is_embedded else None)
        session = CallSession(url, self.connect.for_calls, self.routes.forget)
        self.control = LedgerControl(session, self.routes, publish, actor)
        self._reading: Reading | None = None

    def __repr__(self) -> str:
        return f"Ledger({redact_url(self.url)!r})"

    @property
    def reading(self) -> "Reading":
        """Connections for selects; SQLAlchemy is loaded on first use."""
        if self._reading is None:
            from tilebox_celery.ledger.reading import Reading

            self._reading = Reading(self.url, self.connect)
        return self._reading

    def close(self) -> None:
        """Close all connections; the ledger can still be used, and opens new ones."""
        self.control.session.close()
        if self._reading is not None:
            self._reading.close()


class Connector:
    """Opens connections to one ledger.

    Args:
        url: Of the ledger.
        embedded: Settings of the embedded stack that it belongs to; None for any other ledger.
    """

    def __init__(self, url: str, embedded: Settings | None) -> None:
        self.url = url
        self._embedded = embedded

    def __call__(self, *, durable: bool = True, name: str = "tilebox-celery") -> Connection:
        """Open a connection of one's own for ledger calls; see `postgres.connection.connect`."""
        if self._embedded is not None:
            from tilebox_celery.embedded import start

            start(self._embedded.home, self._embedded.idle_stop)  # somebody may have stopped it, or this is a fork
        return connect(self.url, durable=durable, name=name)

    def for_calls(self) -> Connection:
        """Open a connection for the calls of clients."""
        return self()


def open_ledger(
    settings: Settings, *, publisher: Callable[[str | None], Publish] | None = None, actor: str | None = None
) -> Ledger:
    """Connect to the ledger and make sure that it fits this code.

    The embedded one is brought to this code's schema by itself and gets the cluster `dev-cluster`; any other one is
    only checked.

    Args:
        settings: Names the ledger; without `ledger_url` the embedded stack is started.
        publisher: Makes, for a broker URL, what sends wake-ups as messages.
        actor: Who acts, for the audit; by default user and host.

    Raises:
        AuthenticationError: The server refused the login.
        LedgerUnavailable: The server cannot be reached.
        LedgerVersionMismatch: The ledger is older or newer than this code.
        EmbeddedStackError: The embedded servers cannot run here.
    """
    url, broker_url = settings.ledger_url, settings.broker_url
    is_embedded = url is None
    if url is None:
        from tilebox_celery.embedded import start

        stack = start(settings.home, settings.idle_stop)
        url, broker_url = stack.ledger_url, broker_url or stack.broker_url
    check_ledger_url(url)
    publish = send_nothing if publisher is None else publisher(broker_url)
    ledger = Ledger(url, settings, broker_url=broker_url, is_embedded=is_embedded, publish=publish, actor=actor)
    try:
        ledger.control.session.run(
            partial(prepare_embedded, home=settings.home) if is_embedded else ledger_schema().check
        )
    except BaseException:
        ledger.close()
        raise
    return ledger


def prepare_embedded(connection: Connection, home: Path, wait: timedelta = EMBEDDED_WAIT) -> None:
    """Bring an embedded ledger to this code's schema, and make `dev-cluster` its default cluster.

    Args:
        connection: To the ledger.
        home: The data directory, for errors.
        wait: For workers of older code that must end first.

    Raises:
        LedgerVersionMismatch: The data directory was used by newer code, or is used by older code.
    """
    schema = ledger_schema()
    if not schema.is_current(connection):
        for name in upgrade_ledger(connection, schema, wait=wait, tell=_log_older, home=home):
            logger.info("ledger upgraded: %s", name)
    connection.execute(
        "insert into tbx.clusters (slug, display_name, is_default) select %s, %s, true"
        " where not exists (select 1 from tbx.clusters where is_default and deleted_at is null)"
        " on conflict (slug) do nothing",
        (DEV_CLUSTER, DEV_CLUSTER),
    )


def _log_older(older: Sequence[OlderRunner]) -> None:
    logger.warning("before the ledger is upgraded, %s", sentence_of(older))


@cache
def ledger_schema() -> Schema:
    """Return the schema of this code, read once."""
    return Schema("tilebox_celery.ledger", "ledger")
