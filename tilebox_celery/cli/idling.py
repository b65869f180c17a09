"""End a runner that has nothing left to do."""

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from tilebox_celery.cli.opening import open_checked_ledger
from tilebox_celery.errors import TileboxCeleryError

if TYPE_CHECKING:
    from tilebox_celery.runner.task_runner import TaskRunner

_LOOK = 0.5
_IDLE_LOOKS = 4
"""A slot that was woken claims within milliseconds: two seconds without a busy slot are idleness."""


def stop_when_idle(runner: "TaskRunner") -> None:
    """Watch the runner of this process from a thread, and drain it when its slots have been idle for 2 s.

    Args:
        runner: Is about to run in this process.
    """
    threading.Thread(target=_watch, args=(runner, os.getpid()), name="stop-when-idling", daemon=True).start()


def _watch(runner: "TaskRunner", pid: int) -> None:
    idle = 0
    while idle < _IDLE_LOOKS:
        time.sleep(_LOOK)
        try:
            idle = idle + 1 if _is_idle(runner, pid) else 0
        except TileboxCeleryError:
            idle = 0
    os.kill(pid, signal.SIGTERM)


def _is_idle(runner: "TaskRunner", pid: int) -> bool:
    from tilebox_celery.ledger.queries_runners import list_runners

    ledger = open_checked_ledger()
    try:
        with ledger.reading.connection() as connection:
            ours = [each for each in list_runners(connection, runner.cluster) if each.pid == pid and each.slots]
    finally:
        ledger.close()
    return bool(ours) and all(slot.state == "idle" for each in ours for slot in each.slots)
