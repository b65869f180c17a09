"""What a provider has to offer the download engine: files, and bodies that may begin in the middle."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class RemoteFile:
    """One file of a product, as the provider announces it."""

    name: str
    """Relative to the product, with forward slashes; empty where the product is this file."""
    key: str
    """Where the source finds it."""
    size: int | None = None
    """Bytes; None where nobody says before the download."""
    version: str | None = None
    """ETag; a part that was begun with another one is of no use."""
    md5: str | None = None
    """Hexadecimal, where it is known."""
    magic: bytes = b""
    """What the file must begin with."""
    media_type: str | None = None
    """What it is by its catalog, where it may be a page of text, which otherwise is taken for an error."""


@dataclass(frozen=True)
class Body:
    """An open answer."""

    start: int
    """Offset of its first byte in the file."""
    size: int | None
    """Of the whole file."""
    version: str | None
    chunks: Iterator[bytes]


class Source(Protocol):
    """Open files of a provider; used by several threads at once."""

    def open(self, file: RemoteFile, start: int, end: int | None, version: str | None) -> AbstractContextManager[Body]:
        """Open the bytes from start up to, and without, end, if the file still has this version.

        Raises:
            Interrupted: Another attempt may succeed.
            Changed: The file is not the one that was announced.
            TileboxCeleryError: It may not; one sentence.
        """


@dataclass(frozen=True)
class Product:
    """What one datapoint stands for."""

    name: str
    path: PurePosixPath
    """Below the cache directory."""
    list_files: Callable[[], list[RemoteFile]] = field(repr=False)
    archive: PurePosixPath | None = None
    """Where the archive lies if the provider hands out one; `path` is then the folder with its contents."""

    @property
    def file_name(self) -> str:
        """What the file is called where the provider hands out a single one."""
        return (self.archive or self.path).name

    @property
    def objects_path(self) -> PurePosixPath:
        """Where single objects go; not into the product, whose folder is always complete."""
        return self.path.with_name(self.path.name + ".objects")


class Interrupted(Exception):
    """The provider or the network gave out on the way; another attempt may succeed."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        """Say why, and for how many seconds the provider asks for silence."""
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Changed(Exception):
    """The file is another one than the listing or the part says."""
