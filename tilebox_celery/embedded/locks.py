"""Lock files of two kinds, both dropped by the kernel when their holder dies.

``flock`` belongs to an open file: children made by fork share it and keep it alive, which is right for users and for
servers. A record lock belongs to one process, can be looked at without taking it, and tells who holds it: that is how
the supervisor is found.
"""

import fcntl
import os
import struct
import time
from pathlib import Path

_FLOCK_STRUCT = "hhqqi0q"  # struct flock of 64-bit Linux: type, whence, start, length, pid


def open_lock(path: Path) -> int:
    """Open a lock file, creating it if need be; programs that this process starts do not inherit it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def try_flock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file if nobody is in the way, and say whether it worked."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def flock_within(descriptor: int, seconds: float, *, shared: bool = False) -> bool:
    """Lock an open file as soon as nobody is in the way, and say whether that was in time."""
    deadline = time.monotonic() + seconds
    while not try_flock(descriptor, shared=shared):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def is_flocked(path: Path) -> bool:
    """Say whether a process holds the lock of this file exclusively."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # to look must work where nothing can be written
    except FileNotFoundError:
        return False
    try:
        return not try_flock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def try_record_lock(descriptor: int) -> bool:
    """Take the record lock of an open file for this process, and say whether it worked."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def record_lock_holder(path: Path) -> int | None:
    """Return the pid that holds the record lock, 0 if it lives in another pid namespace, or None if nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # to look must work where nothing can be written
    except FileNotFoundError:
        return None
    try:
        question = struct.pack(_FLOCK_STRUCT, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK_STRUCT, fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
    finally:
        os.close(descriptor)
    return None if kind == fcntl.F_UNLCK else int(pid)
