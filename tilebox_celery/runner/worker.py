"""Run a Celery worker in this process until a signal ends it."""

import logging
import os
import signal
import socket
import threading
from typing import Any


def run_worker(app: Any, *, pool: str, concurrency: int) -> None:
    """Start a worker and return when it has drained; signal handlers are put back.

    Args:
        app: The ``celery_app`` of a runner.
        pool: Name of the pool.
        concurrency: Tasks at once.
    """
    from celery.signals import setup_logging
    from celery.worker import state

    handlers: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {
            number: signal.getsignal(number)
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
        }

    def keep_logging(**_: Any) -> None:
        """Leave logging to the user; without handlers, warnings go to stderr."""
        if not logging.getLogger().handlers:
            logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")

    setup_logging.connect(keep_logging, weak=False)
    state.should_stop = None
    state.should_terminate = None
    try:
        app.Worker(
            # Celery's default is the host alone: two workers there would be one for Flower and for remote control.
            hostname=f"{app.tilebox_runner.cluster}-{os.getpid()}@{socket.gethostname()}",
            pool=pool,
            concurrency=concurrency,
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        ).start()
    finally:
        setup_logging.disconnect(keep_logging)
        for number, handler in handlers.items():
            signal.signal(number, handler)
