"""Where products lie in a folder: the finished ones at their documented paths, all else below ``.tilebox``."""

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tilebox_celery.storage.archive import remove_tree
from tilebox_celery.storage.lock import locked
from tilebox_celery.storage.names import key_of
from tilebox_celery.storage.retrying import Halt

HIDDEN = ".tilebox"
"""Holds locks, unfinished products, and a record of each product, so that destroy_cache() removes nothing else."""


@dataclass(frozen=True)
class Shelf:
    """The products of one provider in one folder."""

    base: Path
    provider: str
    keeps_records: bool = True
    """Whether the folder is a cache; one that a user named for the output is left without ``.tilebox``."""
    origin: str = ""
    """Where products come from, if their paths do not tell: what was prepared of one is not taken for another."""

    @property
    def hidden(self) -> Path:
        """The folder for what is no product."""
        return self.base / HIDDEN

    def final(self, path: PurePosixPath) -> Path:
        """Return where a product lies once it is complete."""
        return self.base / path

    def has(self, path: PurePosixPath) -> bool:
        """Tell whether the product is there, which means that it is complete."""
        return os.path.lexists(self.final(path))

    def lock(self, path: PurePosixPath, halt: Halt) -> AbstractContextManager[None]:
        """Keep others away from one product."""
        return locked(self.hidden / f"{self._key(path)}.lock", halt)

    @contextmanager
    def staging(self, path: PurePosixPath, halt: Halt) -> Iterator[Path]:
        """Lock a product and give the folder in which it is prepared; what an earlier attempt has left is in it."""
        try:
            with self.lock(path, halt):
                yield self._staging(path)
        finally:
            self._tidy()

    def begin(self, path: PurePosixPath) -> None:
        """Write down that the product is ours, before anything of it is there."""
        self._staging(path).mkdir(exist_ok=True)
        fresh = self._record(path).with_suffix(".new")
        fresh.write_text(json.dumps({"provider": self.provider, "path": str(path)}), encoding="utf-8")
        fresh.replace(self._record(path))

    def publish(self, prepared: Path, path: PurePosixPath) -> None:
        """Make what is prepared appear as a whole, for good; call it inside `staging`."""
        sync_tree(prepared)
        final = self.final(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        prepared.rename(final)
        sync_folder(final.parent)

    def end(self, path: PurePosixPath) -> None:
        """Remove what the preparation has left; call it inside `staging`."""
        remove_tree(self._staging(path))
        if not self.keeps_records:
            self._record(path).unlink(missing_ok=True)

    def has_leftovers(self, path: PurePosixPath) -> bool:
        """Tell whether something of a preparation is there, be it going on or killed."""
        return os.path.lexists(self._staging(path))

    def remove(self, path: PurePosixPath, halt: Halt) -> None:
        """Remove a product and what is prepared of it; whoever looks sees all of it or nothing."""
        if not self.hidden.is_dir() and not self.has(path):
            return
        with self.staging(path, halt) as staging:
            remove_tree(staging)
            if self.has(path):
                staging.mkdir()
                self.final(path).rename(staging / "removed")
                remove_tree(staging)
            self._record(path).unlink(missing_ok=True)
        self._prune(self.final(path).parent)

    def records(self) -> list[PurePosixPath]:
        """Return the paths of all products of this provider, finished or not."""
        found = []
        for file in sorted(self.hidden.glob("*.json")):
            with suppress(OSError, ValueError, KeyError, TypeError):
                record = json.loads(file.read_text(encoding="utf-8"))
                path = PurePosixPath(record["path"])
                # A record names itself: one that was tampered with must not make us remove something else.
                inside = not path.is_absolute() and ".." not in path.parts
                if inside and record["provider"] == self.provider and key_of(path) == file.stem:
                    found.append(path)
        return found

    def _key(self, path: PurePosixPath) -> str:
        return key_of(f"{path}\n{self.origin}" if self.origin else path)

    def _staging(self, path: PurePosixPath) -> Path:
        return self.hidden / self._key(path)

    def _record(self, path: PurePosixPath) -> Path:
        return self.hidden / f"{self._key(path)}.json"

    def _prune(self, folder: Path) -> None:
        with suppress(OSError):  # not empty
            while folder != self.base and self.base in folder.parents:
                folder.rmdir()
                folder = folder.parent

    def _tidy(self) -> None:
        with suppress(OSError):
            self.hidden.rmdir()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """Make a file, or a folder with all that is in it, survive a power failure."""
    if not path.is_dir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
        return
    for folder, _, names in os.walk(path, topdown=False):
        for name in names:
            sync_tree(Path(folder, name))
        sync_folder(Path(folder))
