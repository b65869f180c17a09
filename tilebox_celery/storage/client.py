"""What all storage clients have in common: what can be done with the product of a datapoint."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tilebox_celery.errors import ArgumentError, StorageError
from tilebox_celery.storage.archive import ArchiveLimits
from tilebox_celery.storage.engine import Engine
from tilebox_celery.storage.granule import Granule, read_granule
from tilebox_celery.storage.names import safe_path
from tilebox_celery.storage.pickling import PickledByArguments
from tilebox_celery.storage.quicklook import open_picture, quicklook_of
from tilebox_celery.storage.remote import Product, Source
from tilebox_celery.storage.retrying import Flag, Halt
from tilebox_celery.storage.shelf import Shelf
from tilebox_celery.storage.transfer import Connections

if TYPE_CHECKING:
    from PIL.Image import Image

PathLike = str | os.PathLike[str]
DEFAULT_CACHE = Path("~/.cache/tilebox")
"""Below the home of the user, who may have none as long as the default is not used."""
STOPPED_BY: ContextVar[Flag | None] = ContextVar("STOPPED_BY", default=None)
"""Set by the async clients, whose callers may lose interest while a thread works for them."""


class StorageClient(PickledByArguments, ABC):
    """Download the products of one provider into a cache that threads and processes share.

    A product in the cache is complete and verified. Interrupted downloads go on where they ended. All methods may be
    used from several threads, and after a fork. A client that was given no secret can be pickled, for dask and
    multiprocessing: its copy logs in by the variables of its own process.
    """

    provider: str
    """Names the provider in the records of the cache."""

    def __init__(
        self, source: Source, connections: Connections, cache_directory: PathLike | None, limits: ArchiveLimits
    ) -> None:
        """Take what the subclass has made of its arguments."""
        self.cache_directory = None if cache_directory is None else folder_of(cache_directory, "cache_directory")
        self._engine = Engine(source, connections, limits)

    @abstractmethod
    def _product(self, granule: Granule) -> Product:
        """Return what a datapoint stands for; nothing is asked of the provider."""

    def download(
        self, datapoint: Any, output_dir: PathLike | None = None, extract: bool = True, show_progress: bool = False
    ) -> Path:
        """Download the product of a datapoint, unless it is there.

        Args:
            datapoint: One datapoint of a dataset, such as `data.isel(time=0)`, or a mapping with its fields.
            output_dir: Folder instead of the cache directory; the path below it is the same.
            extract: Whether an archive is unpacked; if not, its path is returned.
            show_progress: Whether to draw a progress bar.

        Returns:
            The folder of the product, or its file where it is a single one.

        Raises:
            ArgumentError: The datapoint cannot be used, or there is neither a cache nor an output directory.
            NotFoundError: The provider does not have the product, or not any more.
            AuthenticationError: The provider refuses the login.
            StorageError: The download failed or cannot be stored, or what arrived is damaged.
        """
        product = self._product(read_granule(datapoint))
        shelf, halt = self._shelf(output_dir), _halt()
        if extract and product.archive is not None:
            return self._engine.fetch_unpacked(product, shelf, halt, shown=show_progress)
        return self._engine.fetch(product, shelf, halt, shown=show_progress)

    def list_objects(self, datapoint: Any) -> list[str]:
        """Return the names of the files of a product, relative to it, as the provider has them.

        Raises:
            ArgumentError: The datapoint cannot be used.
            NotFoundError: The provider does not have the product, or not any more.
            AuthenticationError: The provider refuses the login.
            StorageError: The listing failed.
        """
        product = self._product(read_granule(datapoint))
        return self._listed(product)

    def download_objects(
        self,
        datapoint: Any,
        objects: Sequence[str],
        output_dir: PathLike | None = None,
        show_progress: bool = False,
    ) -> Path:
        """Download some files of a product.

        Args:
            datapoint: One datapoint.
            objects: Names as `list_objects` returns them.
            output_dir: Folder instead of the cache directory.
            show_progress: Whether to draw a progress bar.

        Returns:
            The folder in which the files lie under their names: that of the product if it is there, else
            ``<product>.objects`` beside its place, since the folder of a product is always complete.

        Raises:
            ArgumentError: The datapoint or a name cannot be used, or there is nowhere to store the files.
            NotFoundError: The product has no such file.
            AuthenticationError: The provider refuses the login.
            StorageError: As for `download`.
        """
        product = self._product(read_granule(datapoint))
        names = _names(objects)
        return self._fetch_objects(product, names, output_dir, show_progress)

    def quicklook(self, datapoint: Any, width: int = 600, height: int = 600) -> "Image":
        """Return the quicklook of a product as a Pillow image, which a notebook displays.

        Args:
            datapoint: One datapoint.
            width: Pixels at most.
            height: Pixels at most.

        Raises:
            ArgumentError: The datapoint cannot be used, or the size is none.
            NotFoundError: The product has no quicklook.
            StorageError: Pillow is not installed, the file is no picture, or as for `download`.
        """
        if not all(isinstance(each, (int, float)) and each >= 1 for each in (width, height)):
            raise ArgumentError(f"The width and height of a quicklook are pixels, not {width!r} and {height!r}.")
        return open_picture(self.download_quicklook(datapoint), width, height)

    def download_quicklook(self, datapoint: Any, output_dir: PathLike | None = None) -> Path:
        """Download the quicklook of a product and return the path of the picture.

        Raises:
            NotFoundError: The product has no quicklook.
            TileboxCeleryError: As for `download_objects`.
        """
        granule = read_granule(datapoint)
        product = self._quicklook_product(granule)
        name = quicklook_of(self._names(product, self._shelf(output_dir)), granule)
        return self._fetch_objects(product, [name], output_dir, shown=False) / name

    def delete(self, datapoint: Any) -> None:
        """Remove the product of a datapoint from the cache, with all that belongs to it; nothing if it is not there.

        Raises:
            ArgumentError: The datapoint cannot be used, or the client has no cache.
            StorageError: It cannot be removed, or no client has put it there.
        """
        product, shelf = self._product(read_granule(datapoint)), self._cache()
        for path in (product.path, product.archive, product.objects_path):
            if path is not None:
                self._engine.remove(path, shelf, _halt())

    def destroy_cache(self) -> None:
        """Remove everything that clients of this provider have put into the cache directory, and nothing else.

        Raises:
            ArgumentError: The client has no cache.
            StorageError: Something cannot be removed.
        """
        shelf, failures = self._cache(), list[StorageError]()
        for path in self._engine.recorded(shelf):
            try:
                self._engine.remove(path, shelf, _halt())
            except StorageError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _listed(self, product: Product) -> list[str]:
        return sorted(file.name or product.file_name for file in self._engine.list_files(product, _halt()))

    def _names(self, product: Product, shelf: Shelf) -> list[str]:
        complete = shelf.final(product.path)
        if shelf.has(product.path) and complete.is_dir():  # nothing needs to be asked
            return sorted(path.relative_to(complete).as_posix() for path in complete.rglob("*") if path.is_file())
        return self._listed(product)

    def _quicklook_product(self, granule: Granule) -> Product:
        return self._product(granule)

    def _fetch_objects(self, product: Product, names: list[str], output_dir: PathLike | None, shown: bool) -> Path:
        shelf = self._shelf(output_dir)
        complete = shelf.final(product.path)
        if set(names) == {product.file_name} and shelf.has_files(product.path, [""]):
            return complete.parent
        if shelf.has_files(product.path, names):
            return complete
        return self._engine.fetch_objects(product, names, shelf, _halt(), shown=shown)

    def _shelf(self, output_dir: PathLike | None) -> Shelf:
        folder = None if output_dir is None else folder_of(output_dir, "output_dir")
        if folder is None or folder == self.cache_directory:
            return self._cache()
        return Shelf(folder, self.provider, keeps_records=False)

    def _cache(self) -> Shelf:
        if self.cache_directory is None:
            raise ArgumentError(f"This {type(self).__name__} has no cache_directory: give output_dir to the call.")
        return Shelf(self.cache_directory, self.provider)

    def __repr__(self) -> str:
        """Return what may be seen: no credentials."""
        folder = None if self.cache_directory is None else str(self.cache_directory)
        return f"{type(self).__name__}(cache_directory={folder!r})"


def folder_of(value: PathLike, name: str) -> Path:
    """Return a folder that a user named.

    Raises:
        ArgumentError: It is no path, or lies below a home that nobody knows.
    """
    try:
        path = Path(value).expanduser()
    except TypeError as error:
        raise ArgumentError(f"{name} is {value!r:.200}, but must be a path.") from error
    except RuntimeError as error:
        raise ArgumentError(f"{name} is '{value}', but the home directory is unknown: pass another one.") from error
    if "\0" in str(path):
        raise ArgumentError(f"{name} is {value!r:.200}, which no folder can be called.")
    return path


def credential(value: str | None, name: str, variable: str, provider: str) -> str:
    """Return a credential from the argument or the environment.

    Raises:
        ArgumentError: There is none, or it cannot be one; the sentence names provider, argument and variable.
    """
    found = value if value is not None else os.environ.get(variable)
    if not found:
        raise ArgumentError(f"{provider} needs a login: pass {name}= or set {variable}.")
    if not isinstance(found, str):
        raise ArgumentError(f"{provider}: {name} must be a text, not {type(found).__name__}.")
    if any(ord(each) < 32 for each in found):
        raise ArgumentError(f"{provider}: {name} or {variable} holds a line break or another control character.")
    return found


def _names(objects: Sequence[str]) -> list[str]:
    if isinstance(objects, str) or not isinstance(objects, Iterable):
        raise ArgumentError(f"download_objects() takes a list of names, not {objects!r:.200}.")
    names = list(objects)
    if not names:
        raise ArgumentError("download_objects() was given no name.")
    for name in names:
        if not isinstance(name, str):
            raise ArgumentError(f"The name of an object is a text, not {name!r:.200}.")
    return [str(safe_path(name, "The name of an object")) for name in dict.fromkeys(names)]


def _halt() -> Halt:
    return Halt(STOPPED_BY.get())
