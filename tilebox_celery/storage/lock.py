"""One at a time may work on a product, be it a thread or a process; the kernel frees what a killed one held."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tilebox_celery.errors import StorageError
from tilebox_celery.storage.retrying import Halt

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_POLL = 0.05
_TIDIED_AWAY = 100
"""Times in a row, after which it is something else."""
_HELD = (errno.EAGAIN, errno.EACCES)


@contextmanager
def locked(path: Path, halt: Halt) -> Iterator[None]:
    """Hold the lock file; its folder is made if need be, and the file is gone afterwards.

    Args:
        path: Of the lock file.
        halt: Ends the waiting.

    Raises:
        StorageError: The file system knows no locks, or the wait was cancelled.
        OSError: The file cannot be made.
    """
    descriptor = _acquire(path, halt)
    try:
        yield
    finally:
        with suppress(OSError):  # still under the lock: who waits for it sees that the file has gone, and makes another
            path.unlink()
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder with all above it, while others may be tidying the same folders away."""
    for _ in range(_TIDIED_AWAY):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return
        except (FileNotFoundError, FileExistsError):
            if os.path.lexists(folder) and not folder.is_dir():
                break
    folder.mkdir(parents=True, exist_ok=True)


def _acquire(path: Path, halt: Halt) -> int:
    while True:
        make_folder(path.parent)
        try:
            descriptor = os.open(path, _OPEN, 0o666)
        except FileNotFoundError:  # another process has just tidied the folder away
            continue
        try:
            while not _try(descriptor, path):
                halt.sleep(_POLL)
            if _is_still(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _try(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise StorageError(
            f"{path.parent} cannot be used, since its file system has no locks ({error.strerror}): take another folder."
        ) from error
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False
