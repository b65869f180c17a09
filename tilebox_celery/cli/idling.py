"""End a runner that has nothing left to do: a small process beside it, since a thread would not survive its forks well.

Started as ``python -m tilebox_celery.cli.idling`` with a JSON order on stdin, for it may hold a password.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tilebox_celery.errors import TileboxCeleryError

if TYPE_CHECKING:
    from tilebox_celery.ledger.open import Ledger
    from tilebox_celery.runner.task_runner import TaskRunner

_LOOK = 0.5
_IDLE_LOOKS = 4
"""A slot that was woken claims within milliseconds: two seconds without a busy slot are idleness."""


def stop_when_idle(runner: "TaskRunner") -> None:
    """Drain the runner that is about to run in this process when its slots have been idle for 2 s."""
    watcher = subprocess.Popen(
        [sys.executable, "-m", "tilebox_celery.cli.idling"], stdin=subprocess.PIPE, start_new_session=True, text=True
    )
    assert watcher.stdin is not None, "it was asked for"
    with watcher.stdin as stdin:
        json.dump({"pid": os.getpid(), "ledger_url": runner.ledger_url, "cluster": runner.cluster}, stdin)


def main() -> None:
    """Watch the parent process, and send it SIGTERM when it is idle."""
    from tilebox_celery.ledger.open import Ledger
    from tilebox_celery.settings import Settings

    order = json.load(sys.stdin)
    ledger = Ledger(order["ledger_url"], Settings.from_environment())
    idle = 0
    while idle < _IDLE_LOOKS:
        time.sleep(_LOOK)
        if os.getppid() != order["pid"]:
            return
        try:
            idle = idle + 1 if _is_idle(ledger, order["cluster"], order["pid"]) else 0
        except TileboxCeleryError:
            idle = 0
    os.kill(order["pid"], signal.SIGTERM)


def _is_idle(ledger: "Ledger", cluster: str, pid: int) -> bool:
    from tilebox_celery.ledger.queries_runners import list_runners

    with ledger.reading.connection() as connection:
        runners = list_runners(connection, cluster)
    ours = [each for each in runners if (each.pid, each.host) == (pid, socket.gethostname()) and each.slots]
    return bool(ours) and all(slot.state == "idle" for each in ours for slot in each.slots)


if __name__ == "__main__":
    main()
