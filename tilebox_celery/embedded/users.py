"""Count the users of a stack: each holds a shared lock on one file, which the kernel drops however its holder dies.

A child made by fork shares its parent's lock and keeps it when the parent dies, so it counts without doing anything.
"""

import contextlib
import fcntl
import os
import threading
from datetime import timedelta
from pathlib import Path

from tilebox_celery.embedded.layout import Layout
from tilebox_celery.embedded.locks import flock_within, open_lock, try_flock
from tilebox_celery.errors import EmbeddedStackError

_STOP_SECONDS = 60.0
_joined: dict[Path, tuple[int, os.stat_result]] = {}


def join(layout: Layout, idle_stop: timedelta) -> bool:
    """Count this process as a user, and say whether it was not one before.

    Raises:
        EmbeddedStackError: The servers are being stopped and do not go.
    """
    if _is_joined(layout):
        return False
    descriptor = open_lock(layout.users_lock)
    if not flock_within(descriptor, _STOP_SECONDS, shared=True):
        os.close(descriptor)
        raise EmbeddedStackError(f"The servers in {layout.home} have been stopping for a minute: see {layout.log}.")
    # Also marks the visit: the supervisor looks at the time of the last change.
    os.pwrite(descriptor, f"{idle_stop.total_seconds():<20}".encode(), 0)
    _joined[layout.home] = (descriptor, os.fstat(descriptor))
    return True


def leave_one(layout: Layout) -> None:
    """Stop counting this process; closed, not unlocked, because children made by fork share the lock."""
    descriptor, lock = _joined.pop(layout.home)
    if _is_still(descriptor, lock):
        os.close(descriptor)


def leave_all() -> None:
    """Stop counting this process anywhere."""
    for home in list(_joined):
        leave_one(Layout(home))


def _is_joined(layout: Layout) -> bool:
    if layout.home not in _joined:
        return False
    descriptor, lock = _joined[layout.home]
    with contextlib.suppress(OSError):
        if os.path.samestat(lock, layout.users_lock.stat()) and _is_still(descriptor, lock):
            return True
    leave_one(layout)  # the directory was removed and made again, or a daemon closed all its files
    return False


def _is_still(descriptor: int, lock: os.stat_result) -> bool:
    """Say whether the number means the file that we opened: whoever closes all files lets it be used again."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), lock)
    return False


class UsersWatch:
    """The supervisor's side: notice when the last user has gone, and who came and went between two looks."""

    def __init__(self, layout: Layout) -> None:
        self._lock = open_lock(layout.users_lock)
        self._waiting_lock = open_lock(layout.users_lock)
        self._asked = threading.Event()
        self.pipe, self._told = os.pipe()
        self._last_visit = self._visit()
        threading.Thread(target=self._wait, daemon=True).start()

    @property
    def idle_stop(self) -> float:
        """How many seconds the servers stay up without users, as the last one to come wished."""
        with contextlib.suppress(ValueError):
            return float(os.pread(self._lock, 64, 0))
        return 60.0

    def await_empty(self) -> None:
        """Make the pipe readable as soon as nobody is there."""
        self._asked.set()

    def is_empty(self) -> bool:
        """Say whether nobody is there now."""
        if not try_flock(self._lock):
            return False
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        return True

    def was_visited(self) -> bool:
        """Say whether somebody came since the last call."""
        before, self._last_visit = self._last_visit, self._visit()
        return before != self._last_visit

    def shut_out(self) -> bool:
        """Let nobody in until this process ends; False if somebody is there or has just been."""
        if not try_flock(self._lock):
            return False
        if self.was_visited():
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            return False
        return True

    def _visit(self) -> int:
        return os.fstat(self._lock).st_mtime_ns

    def _wait(self) -> None:
        # The kernel does the waiting, and a waiting exclusive lock does not keep new shared ones out.
        while self._asked.wait():
            self._asked.clear()
            fcntl.flock(self._waiting_lock, fcntl.LOCK_EX)
            fcntl.flock(self._waiting_lock, fcntl.LOCK_UN)
            os.write(self._told, b"e")
