"""Look whether servers could start in a data directory, without touching it."""

import os
from pathlib import Path

from tilebox_celery.embedded.layout import ANOTHER_HOME, Layout, check_owner, layout_of, using
from tilebox_celery.errors import EmbeddedStackError

_NEEDED_BYTES = 200 * 1024 * 1024


def check_place(home: Path) -> None:
    """Check that a data directory can be made, or written where it exists, and has room for a new ledger.

    Raises:
        EmbeddedStackError: It cannot or has not; the message says why and what to do.
    """
    layout = layout_of(home)
    with using(layout):
        found = next(folder for folder in (layout.home, *layout.home.parents) if os.path.lexists(folder))
        found.stat()
        folders = [each for each in (layout.run, layout.log, layout.valkey) if each.exists()]
        for folder in folders:
            check_owner(folder)
        for folder in (found, *folders):
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(0, f"{folder} cannot be written")
        if not layout.postgres.exists():
            check_disk(layout, found)


def check_disk(layout: Layout, folder: Path) -> None:
    """Check that the disk of a folder has room for a new ledger.

    Raises:
        EmbeddedStackError: It has not.
    """
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < _NEEDED_BYTES:
        raise EmbeddedStackError(
            f"The disk of {layout.home} has {free >> 20} MB left, and the ledger needs "
            f"{_NEEDED_BYTES >> 20} MB to begin: free some, or {ANOTHER_HOME} on another disk."
        )
