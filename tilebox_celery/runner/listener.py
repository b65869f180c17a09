"""Wake idle slots by NOTIFY: the worker's event loop reads a Postgres connection and hands loops to the pool."""

import logging
from collections.abc import Callable
from typing import Any

import psycopg

from tilebox_celery.dispatch.app import channel_name
from tilebox_celery.errors import TileboxCeleryError
from tilebox_celery.postgres.connection import Connection, connect

logger = logging.getLogger("tilebox_celery.runner")
RETRY_SECONDS = 1.0


class Listener:
    """One listening connection of a worker.

    Args:
        url: ``postgresql://`` URL of the ledger.
        runner_id: Whose channel.
        wake: Called with the slot that a notification names, or None after a time without ears.
    """

    def __init__(self, url: str, runner_id: int, wake: Callable[[int | None], None]) -> None:
        self._url = url
        self._channel = channel_name(runner_id)
        self._wake = wake
        self._connection: Connection | None = None
        self._hub: Any = None
        self._fd = -1

    def register(self, hub: Any) -> None:
        """Listen in an event loop; called again after each reconnect of the broker, when the loop was emptied."""
        self._hub = hub
        if self._connection is None or self._connection.closed:
            self._connect()
        elif self._fd >= 0:
            hub.add_reader(self._fd, self._on_readable)

    def close(self) -> None:
        """Stop listening."""
        self._drop()
        self._hub = None

    def _connect(self) -> None:
        try:
            connection = connect(self._url + _short_timeout(self._url), name="tilebox-celery listener")
            connection.execute(f"listen {self._channel}".encode())
        except (psycopg.Error, TileboxCeleryError) as error:
            logger.warning("listener away: %s", error)
            self._hub.call_later(RETRY_SECONDS, self._retry)
            return
        self._connection = connection
        self._fd = connection.fileno()
        self._hub.add_reader(self._fd, self._on_readable)
        self._hub.call_soon(self._wake, None)  # the pool joins the event loop after us

    def _retry(self) -> None:
        if self._hub is not None and self._connection is None:
            self._connect()

    def _on_readable(self, *_: object) -> None:
        # An exception that leaves a callback of the event loop ends the worker.
        try:
            assert self._connection is not None, "a reader has a connection"
            pgconn = self._connection.pgconn
            pgconn.consume_input()
            while (notification := pgconn.notifies()) is not None:
                self._wake(int(notification.extra))
        except Exception as error:  # see above
            logger.warning("listener lost: %s", error)
            self._drop()
            if self._hub is not None:
                self._hub.call_later(RETRY_SECONDS, self._retry)

    def _drop(self) -> None:
        if self._hub is not None and self._fd >= 0:
            self._hub.remove_reader(self._fd)
        self._fd = -1
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _short_timeout(url: str) -> str:
    if "connect_timeout" in url:
        return ""
    return ("&" if "?" in url else "?") + "connect_timeout=2"
