"""Watch other processes: gone, stopped or alive."""

import os
import select
import time
from pathlib import Path


class ProcessWatch:
    """Notices at once when a process ends, by pidfd where the system has it.

    A pid that was gone once stays gone, so that a pid which is used again does not come back to life.
    """

    def __init__(self) -> None:
        self._fds: dict[int, int] = {}
        self._gone: set[int] = set()

    def add(self, pid: int) -> None:
        """Start to watch a process."""
        if pid in self._fds or pid in self._gone:
            return
        if not hasattr(os, "pidfd_open"):
            self._fds[pid] = -1
            return
        try:
            self._fds[pid] = os.pidfd_open(pid)
        except ProcessLookupError:
            self._gone.add(pid)

    def fds(self) -> list[int]:
        """Return the descriptors that become readable when a process ends."""
        return [fd for fd in self._fds.values() if fd >= 0]

    def is_gone(self, pid: int) -> bool:
        """Tell whether a watched process has ended."""
        if pid in self._gone:
            return True
        fd = self._fds.get(pid, -1)
        ended = bool(select.select([fd], [], [], 0)[0]) if fd >= 0 else not _exists(pid)
        if ended:
            self._gone.add(pid)
            if fd >= 0:
                os.close(fd)
            self._fds.pop(pid, None)
        return ended

    def wait_gone(self, pid: int, seconds: float) -> bool:
        """Wait until a process has ended; False: it has not."""
        deadline = time.monotonic() + seconds
        self.add(pid)
        while not self.is_gone(pid):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            fd = self._fds.get(pid, -1)
            select.select([fd] if fd >= 0 else [], [], [], min(left, 1.0 if fd >= 0 else 0.05))
        return True


def is_stopped(pid: int) -> bool:
    """Tell whether a process is stopped (SIGSTOP, a debugger) or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[:1] in ([b"T"], [b"t"], [b"Z"])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
