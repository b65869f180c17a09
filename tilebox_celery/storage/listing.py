"""What lies below a path of an archive: folders and files, and the contents of small files such as metadata."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tilebox_celery.errors import NotFoundError, StorageError
from tilebox_celery.storage.retrying import Halt, with_retries
from tilebox_celery.storage.s3 import S3Source
from tilebox_celery.storage.transfer import Connections

_READERS = 4
"""Threads that read files of this machine at once."""


@dataclass(frozen=True)
class Listed:
    """A file or a folder."""

    path: str
    """Below the bucket, or the root; that of a folder ends with a slash."""
    size: int | None = None
    """Bytes; None for a folder."""


class S3Listing:
    """Everything below a path of a bucket; nothing is asked before the first use.

    Args:
        source: The bucket.
        connections: How the client may talk to it.
        path: A folder, with slashes between; empty for the whole bucket.
    """

    def __init__(self, source: S3Source, connections: Connections, path: str = "") -> None:
        self._source = source
        self._connections = connections
        self.path = f"{path.strip('/')}/" if path.strip("/") else ""
        """Where the listing begins; empty, or with a slash at the end."""
        self.url = f"s3://{source.bucket_name}/"
        """Together with a path it tells where that is."""
        self.parallel = connections.limit
        """Files that may be read at the same time."""

    def files(self) -> Iterator[Listed]:
        """Yield all files, in the order of their paths; empty objects that stand for folders are left out.

        Raises:
            AuthenticationError: The provider refuses the login.
            StorageError: The listing failed.
        """
        return (each for each in self._pages(self.path, "") if not each.path.endswith("/"))

    def children(self, folder: str) -> Iterator[Listed]:
        """Yield what lies directly in a folder.

        Args:
            folder: Its path, with a slash at the end; empty for the whole bucket.

        Raises:
            AuthenticationError: The provider refuses the login.
            StorageError: The listing failed.
        """
        return (each for each in self._pages(folder, "/") if each.path != folder)

    def read(self, path: str) -> bytes:
        """Return the contents of a small file.

        Raises:
            NotFoundError: It is not there, or not any more.
            AuthenticationError: The provider refuses it.
            StorageError: It cannot be read.
        """
        halt = Halt()

        def ask() -> bytes:
            with self._connections.slot(halt):
                return self._source.read(path)

        return with_retries(ask, self._connections.retry, halt, f"Reading '{path}'")

    def _pages(self, prefix: str, delimiter: str) -> Iterator[Listed]:
        halt, token = Halt(), ""
        what = f"The listing of {self.url}{prefix}"
        while True:

            def ask(token: str = token) -> tuple[list[tuple[str, int | None]], str]:
                with self._connections.slot(halt):
                    return self._source.list_page(prefix, delimiter, token)

            found, token = with_retries(ask, self._connections.retry, halt, what)
            yield from (Listed(*each) for each in found)
            if not token:
                return


class LocalListing:
    """Everything below a folder of this machine; links are not followed.

    Example:
        >>> Path("archive/a").mkdir(parents=True, exist_ok=True)
        >>> size = Path("archive/a/b.json").write_text("{}")
        >>> listing = LocalListing(Path("archive"))
        >>> list(listing.files())
        [Listed(path='a/b.json', size=2)]
        >>> listing.read("a/b.json")
        b'{}'
    """

    path = ""
    parallel = _READERS

    def __init__(self, root: Path) -> None:
        self._root = root
        self.url = f"{root.absolute()}/"

    def files(self) -> Iterator[Listed]:
        """Yield all files, depth first.

        Raises:
            StorageError: A folder cannot be read.
        """
        return self._below("")

    def children(self, folder: str) -> Iterator[Listed]:
        """Yield what lies directly in a folder, by name.

        Raises:
            StorageError: It cannot be read.
        """
        try:
            with os.scandir(self._root / folder) as entries:
                found = sorted(entries, key=lambda each: each.name)
                for each in found:
                    if each.is_dir(follow_symlinks=False):
                        yield Listed(f"{folder}{each.name}/")
                    elif each.is_file(follow_symlinks=False):
                        yield Listed(f"{folder}{each.name}", each.stat(follow_symlinks=False).st_size)
        except OSError as error:
            raise StorageError(f"{self._root / folder} cannot be read: {error.strerror}.") from error

    def read(self, path: str) -> bytes:
        """Return the contents of a small file.

        Raises:
            NotFoundError: It is not there any more.
            StorageError: It cannot be read.
        """
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(f"{self._root} has no '{path}'.") from error
        except OSError as error:
            raise StorageError(f"{self._root / path} cannot be read: {error.strerror}.") from error

    def _below(self, folder: str) -> Iterator[Listed]:
        for each in self.children(folder):
            if each.path.endswith("/"):
                yield from self._below(each.path)
            else:
                yield each
