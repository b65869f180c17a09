"""Send wake-ups as Celery messages; a broker that is away costs time, never correctness."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tilebox_celery import faults
from tilebox_celery.dispatch.app import WAKE_TASK, is_redis, make_app, queue_name

if TYPE_CHECKING:
    from celery import Celery

    from tilebox_celery.ledger.calls import WakeUp

logger = logging.getLogger("tilebox_celery.dispatch")
EXPIRES = "60000"
"""Milliseconds; RabbitMQ drops older wake-ups."""
PAUSE = 5.0
SILENCE = 5
"""Seconds."""


class Publisher:
    """Publishes wake-ups to the queues of runners; making one contacts nobody and loads nothing.

    Safe to share between threads and to inherit by fork. After a failure nothing is tried for some seconds: the sweep
    finds what was not told.

    Args:
        broker_url: URL of the broker; None publishes nothing.
    """

    def __init__(self, broker_url: str | None) -> None:
        self._broker_url = broker_url
        self._app: Celery | None = None
        self._local = threading.local()
        self._producers: list[Any] = []
        self._pid = 0
        self._retry_at = 0.0

    def __call__(self, wake_ups: Sequence["WakeUp"]) -> None:
        """Publish one message for each wake-up; never raises for want of a broker."""
        if self._broker_url is None or not wake_ups or time.monotonic() < self._retry_at:
            return
        if faults.seam is not None:
            faults.seam("before_wake_up")
        try:
            channel = self._producer().channel
            for wake_up in wake_ups:
                self._send(channel, wake_up)
        except Exception as error:  # whatever the transport raises: the ledger has the work, the sweep wakes
            self._retry_at = time.monotonic() + PAUSE
            self._forget_producer()
            logger.warning("wake-up not sent, jobs go on without the broker: %s", type(error).__name__)
            logger.debug("broker error", exc_info=error)

    def _send(self, channel: Any, wake_up: "WakeUp") -> None:
        # A task message of Celery's second protocol with what a wake-up needs: all of it would take longer to make than
        # to send.
        message = channel.prepare_message(
            f"[[{wake_up.slot_id}], {{}}, {{}}]",
            content_type="application/json",
            content_encoding="utf-8",
            headers={"lang": "py", "task": WAKE_TASK, "id": str(uuid4())},
            properties={"delivery_mode": 1, "expiration": EXPIRES},
        )
        channel.basic_publish(message, exchange="", routing_key=queue_name(wake_up.runner_id))

    def close(self) -> None:
        """Close the connections of all threads of this process; the next wake-up opens a new one."""
        if self._pid != os.getpid():
            return  # inherited by fork: they are the parent's
        producers, self._producers, self._local = self._producers, [], threading.local()
        for producer in producers:
            with contextlib.suppress(Exception):  # the broker is away: it has closed its end
                producer.connection.release()

    def _forget_producer(self) -> None:
        producer, self._local.producer = getattr(self._local, "producer", None), None
        if producer is not None:
            self._producers.remove(producer)
            with contextlib.suppress(Exception):  # it is broken: only its socket is to be closed
                producer.connection.collect(socket_timeout=1.0)

    def _producer(self) -> Any:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._local = threading.local()
            self._producers = []
            self._app = None
        if self._app is None:
            self._app = make_app("tilebox_celery.publisher", self._broker_url)
        producer = getattr(self._local, "producer", None)
        if producer is None:
            connection = self._app.connection_for_write(connect_timeout=2, transport_options=self._transport_options())
            connection.ensure_connection(max_retries=1, interval_start=0)
            producer = self._local.producer = self._app.amqp.Producer(connection, auto_declare=False)
            self._producers.append(producer)
        return producer

    def _transport_options(self) -> dict[str, Any]:
        """Return the app's options with limits: a broker that has stopped must not hold us."""
        assert self._app is not None, "the caller made it"
        if is_redis(self._broker_url):
            limits = {"socket_connect_timeout": 2, "socket_timeout": SILENCE}
        else:
            limits = {"read_timeout": SILENCE, "write_timeout": SILENCE}
        return {**(self._app.conf.broker_transport_options or {}), **limits}
