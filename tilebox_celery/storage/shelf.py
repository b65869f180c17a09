"""Where products lie in a folder: the finished ones at their documented paths, all else below ``.tilebox``."""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tilebox_celery.errors import StorageError
from tilebox_celery.storage.archive import remove_tree
from tilebox_celery.storage.lock import locked, make_folder
from tilebox_celery.storage.names import key_of
from tilebox_celery.storage.records import Records
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

    @property
    def records(self) -> Records:
        """Who has put what here."""
        return Records(self.hidden, self.provider)

    def final(self, path: PurePosixPath) -> Path:
        """Return where a product lies once it is complete.

        Raises:
            StorageError: The path leads into what is no product.
        """
        if HIDDEN in path.parts:
            raise StorageError(f"'{path}' is refused: the name '{HIDDEN}' is reserved for the cache itself.")
        return self.base / path

    def has(self, path: PurePosixPath) -> bool:
        """Tell whether the product is there, which means that it is complete.

        Raises:
            StorageError: There is a folder in which other products lie, which is no product itself.
        """
        final = self.final(path)
        if not os.path.lexists(final):
            return False
        with suppress(PermissionError):  # a cache of somebody else, whose products may be read all the same
            if not self.records.has(path) and self.records.below(path):
                raise StorageError(f"{final} holds other products, and is none itself: remove or name those.")
        return True

    def has_files(self, path: PurePosixPath, names: Iterable[str]) -> bool:
        """Tell whether all of these files of a product may be looked at."""
        return all(os.path.isfile(self.final(path) / name) for name in names)  # noqa: PTH113  # may be forbidden

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
        """Write down that the product is ours, before anything of it is there.

        Raises:
            StorageError: It would lie inside of another product, whose folder is always complete.
        """
        around = self.records.around(path)
        if around is not None:
            raise StorageError(f"{self.final(path)} would lie inside of the product {self.final(around)}; refused.")
        self._staging(path).mkdir(exist_ok=True)
        self.records.write(path)

    def publish(self, prepared: Path, path: PurePosixPath) -> None:
        """Make what is prepared appear as a whole, for good; call it inside `staging`."""
        sync_tree(prepared)
        final = self.final(path)
        while True:
            make_folder(final.parent)
            try:
                prepared.rename(final)
                break
            except FileNotFoundError:
                if not os.path.lexists(prepared):
                    raise
                # else the removal of a neighbour has just tidied the folder away
        sync_folder(final.parent)

    def end(self, path: PurePosixPath) -> None:
        """Remove what the preparation has left; call it inside `staging`."""
        remove_tree(self._staging(path))
        if not self.keeps_records:
            self.records.remove(path)

    def tidy(self, path: PurePosixPath, halt: Halt) -> None:
        """Remove what is left beside a complete product if somebody was killed right after its end."""
        if os.path.lexists(self._staging(path)):
            with self.staging(path, halt):
                self.end(path)

    def remove(self, path: PurePosixPath, halt: Halt) -> None:
        """Remove a product and what is prepared of it; whoever looks sees all of it or nothing.

        Raises:
            StorageError: No client has put it there, or it lies behind a link.
        """
        final = self.final(path)
        if not self.records.has(path):
            if self.has(path):
                raise StorageError(f"{final} was not put there by a client; it is not removed.")
            return
        if final.parent.resolve() != self.base.resolve() / path.parent:
            raise StorageError(f"{final} lies behind a link; it is not removed.")
        with self.staging(path, halt) as staging:
            remove_tree(staging)
            if self.has(path):
                staging.mkdir()
                final.rename(staging / "removed")
                remove_tree(staging)
            self.records.remove(path)
        self._prune(final.parent)

    def _key(self, path: PurePosixPath) -> str:
        return key_of(f"{path}\n{self.origin}" if self.origin else path)

    def _staging(self, path: PurePosixPath) -> Path:
        return self.hidden / self._key(path)

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
