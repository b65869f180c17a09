"""Bring a product to its place on a shelf: download, verify, unpack, and let it appear as a whole."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from tilebox_celery.errors import ArchiveError, NotFoundError, ProductDamaged, StorageError
from tilebox_celery.storage.archive import ArchiveLimits, flatten, remove_tree, unpack
from tilebox_celery.storage.part import Part
from tilebox_celery.storage.progress import progress_bar
from tilebox_celery.storage.remote import Changed, Product, RemoteFile, Source
from tilebox_celery.storage.retrying import Halt, with_retries
from tilebox_celery.storage.shelf import Shelf
from tilebox_celery.storage.transfer import Connections, parts_of, transfer

ROUNDS = 3
"""Listings of a product, and downloads of a damaged file, before it is given up."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Engine:
    """Downloads from one source."""

    source: Source
    connections: Connections
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)

    def list_files(self, product: Product, halt: Halt) -> list[RemoteFile]:
        """Return the files of a product.

        Raises:
            TileboxCeleryError: The provider refuses, or has failed too often.
        """
        with self.connections.slot(halt):
            return with_retries(product.list_files, self.connections.retry, halt, f"The listing of {product.name}")

    def fetch(self, product: Product, shelf: Shelf, halt: Halt, *, shown: bool, replaces: bool = False) -> Path:
        """Return the product as the provider hands it out: a folder, a file, or an archive.

        Args:
            product: What is wanted.
            shelf: Where it goes.
            halt: Ends it.
            shown: Whether to draw progress.
            replaces: Whether a file that is there is exchanged for a new one, in one step, instead of returned.

        Raises:
            TileboxCeleryError: One sentence; nothing half-written is at the place of the product.
        """
        path = product.archive or product.path
        with _one_sentence(product, shelf), self._prepared(path, shelf, halt, replaces=replaces) as staging:
            if staging is not None:
                self._bring(product, shelf, staging, halt, shown=shown)
                shelf.publish(staging / "product", path)
                shelf.end(path)
        return shelf.final(path)

    def fetch_unpacked(self, product: Product, shelf: Shelf, halt: Halt, *, shown: bool) -> Path:
        """Return the folder with the contents of the product's archive.

        Raises:
            TileboxCeleryError: One sentence; nothing half-written is at the place of the product.
        """
        path = product.path
        assert product.archive is not None
        with _one_sentence(product, shelf), self._prepared(path, shelf, halt) as staging:
            if staging is not None:
                archive = shelf.final(product.archive)
                if not shelf.has(product.archive):
                    self._bring(product, shelf, staging, halt, shown=shown)
                    archive = staging / "product"
                folder = staging / "unpacked"
                remove_tree(folder)  # a killed attempt has left half of it
                try:
                    unpack(archive, folder, self.limits, halt)
                except ArchiveError:
                    remove_tree(staging)
                    raise
                shelf.publish(flatten(folder, path.name), path)
                shelf.end(path)
        return shelf.final(path)

    def fetch_objects(self, product: Product, names: list[str], shelf: Shelf, halt: Halt, *, shown: bool) -> Path:
        """Return a folder that has at least these files of the product, each of them whole.

        Raises:
            TileboxCeleryError: One sentence; every file that is in the folder is whole.
        """
        path = product.objects_path
        folder = shelf.final(path)
        if all(folder.joinpath(name).is_file() for name in names):
            return folder
        with _one_sentence(product, shelf), shelf.staging(path, halt) as staging, _freed(staging):
            shelf.begin(path)
            names = [name for name in names if not folder.joinpath(name).is_file()]
            self._bring(product, shelf, staging, halt, shown=shown, names=names)
            for name in names:
                shelf.publish(staging / "product" / name, path / name)
            shelf.end(path)
        return folder

    def remove(self, path: PurePosixPath, shelf: Shelf, halt: Halt) -> None:
        """Remove one product.

        Raises:
            StorageError: It cannot be removed.
        """
        try:
            shelf.remove(path, halt)
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(f"{shelf.final(path)} was not removed: {error.strerror}.") from error

    @contextmanager
    def _prepared(
        self, path: PurePosixPath, shelf: Shelf, halt: Halt, *, replaces: bool = False
    ) -> Iterator[Path | None]:
        """Give the folder to prepare a product in, under its lock; None where it is complete."""
        if not replaces and shelf.has(path) and not shelf.has_leftovers(path):
            yield None
            return
        with shelf.staging(path, halt) as staging, _freed(staging):
            if not replaces and shelf.has(path):  # somebody else was faster, or was killed right after the end
                shelf.end(path)
                yield None
            else:
                shelf.begin(path)
                yield staging

    def _bring(
        self,
        product: Product,
        shelf: Shelf,
        staging: Path,
        halt: Halt,
        *,
        shown: bool,
        names: list[str] | None = None,
    ) -> None:
        """Bring files in; what is there already of the same version stays."""
        folder = staging / "parts"
        folder.mkdir(exist_ok=True)
        for attempt in range(1, ROUNDS + 1):
            files = self.list_files(product, halt)
            if names is not None:
                files = _chosen(files, names, product)
            parts = parts_of(files, staging / "product", folder, self.connections)
            _check_space(parts, shelf, product)
            sizes = [part.size for part in parts]
            total = None if None in sizes else sum(size or 0 for size in sizes)
            try:
                with progress_bar(product.name, total, shown=shown) as progress:
                    transfer(parts, self.source, self.connections, progress, Halt(halt))
                _drop_strangers(staging / "product", parts)
                return
            except (Changed, ProductDamaged) as error:
                if attempt == ROUNDS:
                    reason = str(error).removesuffix(".")
                    raise ProductDamaged(f"{product.name} was not stored: {reason} (tried {ROUNDS} times).") from error


def _chosen(files: list[RemoteFile], names: list[str], product: Product) -> list[RemoteFile]:
    named = {file.name or product.file_name: file for file in files}
    for name in names:
        if name not in named:
            raise NotFoundError(f"{product.name} has no object '{name}': list_objects() names those it has.")
    return [replace(named[name], name=name) for name in dict.fromkeys(names)]


def _check_space(parts: list[Part], shelf: Shelf, product: Product) -> None:
    needed = sum((part.size or 0) - sum(part.done) for part in parts if not part.finished)
    free = shutil.disk_usage(shelf.hidden).free
    if needed > free:
        raise StorageError(f"{product.name} needs {needed} bytes more, but {shelf.base} has only {free} bytes free.")


def _drop_strangers(product: Path, parts: list[Part]) -> None:
    """Remove what an earlier attempt has brought in, and the latest listing does not name any more."""
    if product.is_dir():
        wanted = {part.target for part in parts}
        for path in [path for path in product.rglob("*") if path.is_file() and path not in wanted]:
            path.unlink()


@contextmanager
def _freed(staging: Path) -> Iterator[None]:
    """Give a full disk its room back; after other errors what has arrived is kept for the next attempt."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            remove_tree(staging)
        raise


@contextmanager
def _one_sentence(product: Product, shelf: Shelf) -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except OSError as cause:
        if cause.errno is None:  # a login that was refused, or another of our own sentences
            raise
        hint = " What had arrived was removed." if cause.errno in _FULL else ""
        error = StorageError(f"{product.name} was not stored in {shelf.base}: {cause.strerror}.{hint}")
        error.errno = cause.errno
        raise error from cause
