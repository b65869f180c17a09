"""What runs inside the pool: the slots of this process, opened after the fork and used by each wake-up."""

import contextlib
import logging
import os
import threading
import time
from typing import Any

from tilebox_celery.runner.slots import ProcessSlots, RunnerSpec

logger = logging.getLogger("tilebox_celery.runner")
LONGEST_LOOP = 60.0

_specs: dict[int, RunnerSpec] = {}
_slots: dict[int, ProcessSlots] = {}
_lock = threading.Lock()


def offer(spec: RunnerSpec) -> None:
    """Make a runner known to this process and to the children that it will fork."""
    _specs[spec.runner_id] = spec


def forget(runner_id: int) -> None:
    """Drop a runner that has ended."""
    _specs.pop(runner_id, None)
    _slots.pop(runner_id, None)


def open_slots(runner_id: int, numbers: range) -> None:
    """Open the slots of this process."""
    with _lock:
        current = _slots.get(runner_id)
        if current is None or current.pid != os.getpid():
            _slots[runner_id] = ProcessSlots(_specs[runner_id], numbers)


def open_child(runner_id: int) -> None:
    """Open the one slot of a pool child, in a process group of its own."""
    from billiard.process import current_process

    with contextlib.suppress(PermissionError):
        os.setpgid(0, 0)  # the keeper can end this process with all that a task started in it
    number = getattr(current_process(), "index", 0)
    open_slots(runner_id, range(number, number + 1))


def run_slot(
    runner_id: int, token: int | None = None, max_tasks: int | None = None, max_rss_kb: int | None = None
) -> str:
    """Run the loop of a free slot of this process: the body of a wake-up.

    Args:
        runner_id: Of the worker.
        token: The slot that the wake-up named.
        max_tasks: Leave the loop after so many tasks, so that Celery can recycle the child.
        max_rss_kb: Leave the loop when the process is larger.
    """
    started = time.monotonic()

    def goes_on(executed: int) -> bool:
        if max_tasks is not None and executed >= max_tasks:
            return False
        if max_rss_kb is not None and _rss_kb() > max_rss_kb:
            return False
        return time.monotonic() - started < LONGEST_LOOP

    slots = _slots.get(runner_id)
    if slots is None or slots.pid != os.getpid():
        return "closed"
    return slots.run(token, goes_on if slots.spec.bells is None else None)


def _rss_kb() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def specs() -> dict[int, Any]:
    """Return the runners of this process."""
    return dict(_specs)
