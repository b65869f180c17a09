"""A Celery consumer that keeps the event loop of the worker going while the broker is away."""

import time
from typing import Any

from celery.utils.log import get_logger
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

logger = get_logger(__name__)
LONGEST_PAUSE = 5.0


class LedgerConsumer(Consumer):  # type: ignore[misc] # Celery has no types
    """Celery's consumer waits in a sleep for a lost broker; this one serves NOTIFY and the pool meanwhile."""

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, trying again for ever, and serve the event loop between the tries."""
        if self.hub is None:
            return super().ensure_connected(conn)
        pause = 0.5
        while True:
            try:
                conn.connect()
            except (*conn.connection_errors, OSError) as error:
                logger.warning("broker %s is away (%s); jobs go on, next try in %.1f s", conn.as_uri(), error, pause)
                self._serve(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
            else:
                return conn

    def _serve(self, seconds: float) -> None:
        hub = self.hub
        self.controller.register_with_event_loop(hub)
        deadline = time.monotonic() + seconds
        hub.call_later(seconds, lambda: None)
        loop = hub.create_loop()
        while time.monotonic() < deadline:
            maybe_shutdown()
            next(loop)
