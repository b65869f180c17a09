"""What a dataset needs of a provider's storage to be filled from it; storage clients have it, and are not imported."""

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

from tilebox_celery.errors import ArgumentError

Skip = Callable[[str], object]
"""Takes one sentence on an object that is left out."""


class ListedEntry(Protocol):
    """A file or a folder of a provider."""

    @property
    def path(self) -> str:
        """Below the place of the listing; that of a folder ends with a slash."""

    @property
    def size(self) -> int | None:
        """Bytes; None for a folder."""


@runtime_checkable
class Listing(Protocol):
    """The files below one path of a provider; `read` is called by several threads at once."""

    @property
    def url(self) -> str:
        """Together with the path of an entry it tells where that is."""

    @property
    def path(self) -> str:
        """Where the listing begins; empty, or with a slash at the end."""

    @property
    def parallel(self) -> int:
        """Calls of `read` that the provider stands at once."""

    def files(self) -> Iterator[ListedEntry]:
        """Yield all files below the path; those of one folder follow each other."""

    def children(self, folder: str) -> Iterator[ListedEntry]:
        """Yield what lies directly in a folder, whose path ends with a slash or is empty."""

    def read(self, path: str) -> bytes:
        """Return the contents of a small file; NotFoundError if it is gone."""


def refuse(sentence: str) -> None:
    """Leave nothing out: raise ArgumentError.

    Example:
        >>> refuse("scene_METADATA.json is no JSON.")
        Traceback (most recent call last):
        tilebox_celery.errors.ArgumentError: scene_METADATA.json is no JSON.
    """
    raise ArgumentError(sentence)
