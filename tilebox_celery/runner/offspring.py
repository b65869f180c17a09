"""What tasks have started and left behind: the processes below a worker, remembered while they can be told apart."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process that is not mixed up with a later one of the same pid."""

    pid: int
    started: int
    """In clock ticks since the system started."""


class Offspring:
    """Remembers the processes below a worker, since those of a dead one can no longer be found.

    What has a session of its own was detached on purpose, and is left alone; so is what was there before the worker.
    Knows nothing where the system has no ``/proc``.

    Args:
        parent: The worker.
        since: When it began to run tasks, in clock ticks since the system started.
    """

    def __init__(self, parent: int, since: int) -> None:
        self._parent = parent
        self._since = since
        self._session = _stat(parent).session
        self._ancestors: dict[Process, frozenset[int]] = {}
        self._lock = threading.Lock()

    def look(self) -> None:
        """Remember who is there now, and forget who has ended."""
        with self._lock:
            known = {process: above for process, above in self._ancestors.items() if _is_alive(process)}
            waiting = {self._parent: frozenset({self._parent})}
            waiting.update({process.pid: above | {process.pid} for process, above in known.items()})
            seen = set(waiting)
            while waiting:
                parent, above = waiting.popitem()
                for pid in _children(parent):
                    stat = _stat(pid)
                    if pid not in seen and stat.session == self._session and stat.started >= self._since:
                        seen.add(pid)
                        known[Process(pid, stat.started)] = above
                        waiting[pid] = above | {pid}
            self._ancestors = known

    def end(self, pid: int) -> None:
        """Kill what is left of all that a process has started, and wait until it is gone."""
        self.look()
        ended = [process for process, above in self._ancestors.items() if pid in above]
        for process in ended:
            if _is_alive(process):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 5.0
        while any(map(_is_alive, ended)) and time.monotonic() < deadline:
            time.sleep(0.01)


def ticks_now() -> int:
    """Return the clock by which the system says when a process has started."""
    return int(time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) * os.sysconf("SC_CLK_TCK"))


class _Stat(NamedTuple):
    state: bytes = b""
    session: int = -1
    started: int = -1


def _stat(pid: int) -> _Stat:
    try:
        rest = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return _Stat()
    return _Stat(rest[0], int(rest[3]), int(rest[19]))


def _is_alive(process: Process) -> bool:
    stat = _stat(process.pid)
    return stat.started == process.started and stat.state not in (b"Z", b"X")


def _children(pid: int) -> list[int]:
    """Return the processes that any thread of a process has started."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_bytes().split())
    return found
