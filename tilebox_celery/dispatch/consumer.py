"""A Celery consumer that keeps the event loop going while the broker is away, and survives whatever is in its queue."""

import time
import warnings
from collections.abc import Callable
from typing import Any

from celery.exceptions import CPendingDeprecationWarning
from celery.utils.log import get_logger
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu.exceptions import ContentDisallowed, DecodeError, SerializerNotInstalled

from tilebox_celery.dispatch.app import WAKE_TASK

logger = get_logger(__name__)
LONGEST_PAUSE = 5.0
UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
    ContentDisallowed,
    DecodeError,
    SerializerNotInstalled,
)
"""What kombu and Celery raise at bytes that are no message. Redis' transport takes a KeyError for a lost connection."""


class LedgerConsumer(Consumer):  # type: ignore[misc] # Celery has no types
    """Celery's consumer sleeps while the broker is lost, and dies of a message that is not JSON; this one does not."""

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, trying again for ever, and serve the event loop between the tries."""
        if self.hub is None:
            return super().ensure_connected(conn)
        pause = 0.5
        joined = False
        while True:
            try:
                conn.connect()
            except (*conn.connection_errors, OSError) as error:
                logger.warning("broker %s is away (%s); jobs go on, next try in %.1f s", conn.as_uri(), error, pause)
                joined = joined or self._join_event_loop()
                self._serve(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
            else:
                self._shield(conn.transport)
                return conn

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Log that the broker was lost, without Celery's nine lines on late acknowledgement, which ours have not."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CPendingDeprecationWarning)
            super().on_connection_error_after_connected(exc)

    def create_task_handler(self, **options: Any) -> Callable[[Any], None]:
        """Return the handler of messages; what it cannot take is dropped, so that it does not hold a place.

        A wake-up goes straight to the pool, as one that came by NOTIFY does: no request, result, event or receipt. All
        else is Celery's.
        """
        handle = super().create_task_handler(**options)
        wake = getattr(self.app, "tilebox_wake", None)

        def on_message(message: Any) -> None:
            try:
                if wake is not None and message.headers.get("task") == WAKE_TASK:
                    wake(_slot(message.payload))
                elif _is_settled(message):
                    raise ValueError("a runner's own queue carries wake-ups and nothing else")
                else:
                    handle(message)
            except UNREADABLE as error:
                _report(error)
                if not _is_settled(message):
                    message.reject_log_error(logger, self.connection_errors)

        return on_message

    def _shield(self, transport: Any) -> None:
        """Drop what Redis or Valkey hands over and kombu cannot even read: it has left the queue already."""
        if transport.driver_type != "redis":
            return  # AMQP's frames say where a message ends: its content comes to the handler alone
        read = transport.on_readable

        def on_readable(fileno: int) -> None:
            try:
                read(fileno)
            except UNREADABLE as error:
                _report(error)

        transport.on_readable = on_readable

    def _join_event_loop(self) -> bool:
        """Let the pool and the listener serve the event loop, which was emptied with the connection."""
        try:
            self.controller.register_with_event_loop(self.hub)
        except ValueError as error:  # a child that has just died has no descriptor; the pool replaces it, then again
            logger.warning("the pool joins the event loop a little later: %s", error)
            return False
        return True

    def _serve(self, seconds: float) -> None:
        hub = self.hub
        deadline = time.monotonic() + seconds
        hub.call_later(seconds, lambda: None)
        loop = hub.create_loop()
        while time.monotonic() < deadline:
            maybe_shutdown()
            next(loop)


def _is_settled(message: Any) -> bool:
    """Tell whether AMQP has forgotten a message as it left the queue; rejecting such a one costs the connection."""
    tags = getattr(message.channel, "no_ack_consumers", None) or ()
    return message.delivery_info.get("consumer_tag") in tags


def _slot(payload: Any) -> int | None:
    """Return the slot that a wake-up names."""
    (slot, *more), named, *_ = payload
    if more or named or isinstance(slot, bool) or not (slot is None or (isinstance(slot, int) and 0 < slot < 2**63)):
        raise ValueError("it does not name one slot")
    return slot


def _report(error: Exception) -> None:
    logger.error("dropped a message that is no wake-up (%s: %.200s); jobs go on", type(error).__name__, error)
