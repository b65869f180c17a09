"""The client of a folder: products that lie on this machine already."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from tilebox_celery.errors import ArgumentError, NotFoundError, StorageError
from tilebox_celery.storage.archive import ArchiveLimits
from tilebox_celery.storage.client import PathLike, StorageClient, folder_of
from tilebox_celery.storage.granule import Granule, read_granule
from tilebox_celery.storage.listing import LocalListing
from tilebox_celery.storage.names import safe_path
from tilebox_celery.storage.remote import CHUNK_BYTES, Body, Changed, Product, RemoteFile
from tilebox_celery.storage.shelf import Shelf
from tilebox_celery.storage.transfer import Connections


class LocalFileSystemStorageClient(StorageClient):
    """Hand out products that lie below a folder, at the path of the field `location`.

    Without a cache directory, `download` returns the path below the root and copies nothing. With one, or with an
    `output_dir`, it copies as the other clients download. Archives are handed out as they are.

    Example:
        >>> Path("archive/scene").mkdir(parents=True)
        >>> Path("archive/scene/band.txt").write_text("1")
        1
        >>> client = LocalFileSystemStorageClient("archive")
        >>> print(client.download({"granule_name": "scene", "location": "scene"}))
        archive/scene
    """

    provider = "local"

    def __init__(self, root: PathLike, cache_directory: PathLike | None = None) -> None:
        """Name the folder with the products.

        Args:
            root: The folder; links below it that lead out of it are refused.
            cache_directory: Where to copy products to; None copies only for an `output_dir`.
        """
        self.root = folder_of(root, "root")
        super().__init__(FileSource(self.root), Connections(2), cache_directory, ArchiveLimits())

    def listing(self, path: str = "") -> LocalListing:
        """Return what lies below a folder of the root, of which `datasets` can make datapoints."""
        return LocalListing(self.root / path)

    def download(
        self, datapoint: Any, output_dir: PathLike | None = None, extract: bool = True, show_progress: bool = False
    ) -> Path:
        """Return the path of the product, copied if there is somewhere to copy it to; see `StorageClient.download`."""
        if output_dir is not None or self.cache_directory is not None:
            return super().download(datapoint, output_dir, extract, show_progress)
        product = self._product(read_granule(datapoint))
        product.list_files()  # tells whether it is there
        return self.root / product.path

    def _product(self, granule: Granule) -> Product:
        text = granule.location(f"the folder {self.root}", f"{self.root.absolute()}/")
        location = safe_path(text, "The location of the datapoint")
        return Product(location.name, location, lambda: _list_files(self.root, location))

    def _fetch_objects(self, product: Product, names: list[str], output_dir: PathLike | None, shown: bool) -> Path:
        if output_dir is not None or self.cache_directory is not None:
            return super()._fetch_objects(product, names, output_dir, shown)
        there = {file.name or product.file_name for file in product.list_files()}
        missing = [name for name in names if name not in there]
        if missing:
            raise NotFoundError(f"{product.name} has no object '{missing[0]}': list_objects() names those it has.")
        path = self.root / product.path
        return path if path.is_dir() else path.parent

    def _names(self, product: Product, shelf: Shelf) -> list[str]:
        return self._listed(product)

    def _shelf(self, output_dir: PathLike | None) -> Shelf:
        if output_dir is None and self.cache_directory is None:
            return Shelf(self.root, self.provider)
        return super()._shelf(output_dir)

    def delete(self, datapoint: Any) -> None:
        """Remove the copy of a product; see `StorageClient.delete`. What lies below the root is never removed.

        Raises:
            ArgumentError: There are no copies, since the client has no cache directory.
        """
        self._refuse_originals()
        super().delete(datapoint)

    def destroy_cache(self) -> None:
        """Remove all copies; see `StorageClient.destroy_cache`. What lies below the root is never removed.

        Raises:
            ArgumentError: There are no copies, since the client has no cache directory.
        """
        self._refuse_originals()
        super().destroy_cache()

    def _refuse_originals(self) -> None:
        if self.cache_directory is None:
            raise ArgumentError(
                f"This client has no cache_directory, and the originals in {self.root} are not removed."
            )


def _list_files(root: Path, location: PurePosixPath) -> list[RemoteFile]:
    top = root / location
    try:
        is_folder = stat.S_ISDIR(top.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"{root} has no '{location}'.") from error
    except OSError as error:
        raise _unreadable(error) from error
    if not is_folder:
        return [_remote_file(root, top, "")]
    paths = sorted(_files_below(top))
    if not paths:
        raise NotFoundError(f"{root} has no file below '{location}'.")
    return [_remote_file(root, path, path.relative_to(top).as_posix()) for path in paths]


def _files_below(top: Path) -> Iterator[Path]:
    """Yield all that is no folder; a link to one is none. Nothing that cannot be read is left out in silence."""

    def refuse(error: OSError) -> None:
        raise _unreadable(error) from error

    for folder, folders, names in os.walk(top, onerror=refuse):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        yield from (Path(folder, name) for name in [*names, *links])


def local_file(root: Path, path: str) -> RemoteFile:
    """Return one file below a root.

    Raises:
        NotFoundError: There is none.
        StorageError: A link leads out of the root, or it cannot be read.
    """
    if not os.path.lexists(root / path):
        raise NotFoundError(f"{root} has no '{path}'.")
    return _remote_file(root, root / path, "")


def _remote_file(root: Path, path: Path, name: str) -> RemoteFile:
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except OSError as error:
        raise _unreadable(error) from error
    if not real.is_relative_to(root.resolve()) or not stat.S_ISREG(status.st_mode):
        raise StorageError(
            f"{path} is no file below {root}; links that lead out of it, and links to folders, are not followed."
        )
    return RemoteFile(name, str(real), status.st_size, _version(status))


def _unreadable(error: OSError) -> StorageError:
    return StorageError(f"{error.filename} cannot be read: {error.strerror}.")


def _version(status: os.stat_result) -> str:
    return f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"


class FileSource:
    """Reads files as if they came from a provider."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def open(self, file: RemoteFile, start: int, end: int | None, version: str | None) -> Iterator[Body]:
        """Open the bytes of a file; see `Source`."""
        try:
            descriptor = os.open(file.key, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise _unreadable(error) from error
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if _version(status) != version:
                raise Changed("it was replaced meanwhile")
            stream.seek(start)
            stop = status.st_size if end is None else end
            yield Body(start, status.st_size, version, _chunks(stream, stop - start, version))


def _chunks(stream: Any, count: int, version: str) -> Iterator[bytes]:
    while count > 0 and (chunk := stream.read(min(CHUNK_BYTES, count))):
        count -= len(chunk)
        yield chunk
    if _version(os.fstat(stream.fileno())) != version:  # somebody wrote into it while it was read
        raise Changed("it was replaced meanwhile")
