"""Publish lists of Celery events on a connection of this process's own."""

import logging
import os
import time
from typing import Any

from celery.events.event import get_exchange

from tilebox_celery.dispatch.app import make_app

logger = logging.getLogger("tilebox_celery.dispatch")
PAUSE = 5.0


class EventChannel:
    """Sends events as one message per list, as Celery's own buffered dispatcher does.

    Args:
        broker_url: URL of the broker.
        hostname: Node name of the worker.
    """

    def __init__(self, broker_url: str | None, hostname: str) -> None:
        self._broker_url = broker_url
        self.hostname = hostname
        self._pid = 0
        self._producer: Any = None
        self._exchange: Any = None
        self._retry_at = 0.0

    def send(self, events: list[dict[str, Any]]) -> bool:
        """Publish events; False: the broker did not take them."""
        if self._broker_url is None or time.monotonic() < self._retry_at:
            return False
        try:
            if self._producer is None or self._pid != os.getpid():
                self._open()
            self._producer.publish(
                events,
                routing_key="task.multi",
                exchange=self._exchange.name,
                declare=[],
                retry=False,
                serializer="json",
                headers={"hostname": self.hostname},
                delivery_mode=1,
            )
        except Exception as error:  # whatever the transport raises: monitoring must not stop work
            self._producer = None
            self._retry_at = time.monotonic() + PAUSE
            logger.debug("events not sent: %r", error)
            return False
        return True

    def _open(self) -> None:
        self._pid = os.getpid()
        app = make_app("tilebox_celery.events", self._broker_url)
        connection = app.connection_for_write(connect_timeout=2)
        connection.ensure_connection(max_retries=1, interval_start=0)
        self._exchange = get_exchange(connection, name=app.conf.event_exchange)
        self._producer = app.amqp.Producer(connection, auto_declare=False)
        self._exchange(connection.default_channel).declare()
