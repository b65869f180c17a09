"""Turn signals into a drain: the first ends claiming, the second (or SIGQUIT) the grace."""

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from tilebox_celery.runner.keeper_process import KeeperProcess

DRAIN_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def install_drain(drain: Callable[[], None], keeper: KeeperProcess, warm_stop: Callable[[], None]) -> dict[int, Any]:
    """Put our handlers for TERM, INT and QUIT in place of Celery's, and return those.

    Args:
        drain: Tells the slots to stop.
        keeper: Told to start, or to end, the drain clock.
        warm_stop: Asks Celery for a warm shutdown.
    """
    main = os.getpid()
    count = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal count
        if os.getpid() != main:
            return
        count += 1
        drain()
        if count > 1 or number == signal.SIGQUIT:
            keeper.drain_now()
        else:
            keeper.drain()
        warm_stop()

    before: dict[int, Any] = {}
    for number in DRAIN_SIGNALS:
        before[number] = signal.signal(number, handle)
    return before
