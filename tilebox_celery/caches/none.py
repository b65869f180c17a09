"""The cache of a runner that was given none."""

from collections.abc import Iterator
from typing import NoReturn

from tilebox_celery.caches.base import JobCache
from tilebox_celery.errors import NoCacheError


class NoCache(JobCache):
    """Answer every use with NoCacheError, which says how to configure a cache.

    Example:
        >>> NoCache()["movies"]  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        tilebox_celery.errors.NoCacheError: No cache configured! Specify a cache using the cache argument of ...
    """

    def __contains__(self, key: object) -> bool:
        """Raise NoCacheError."""
        _refuse()

    def __setitem__(self, key: str, value: bytes) -> None:
        """Raise NoCacheError."""
        _refuse()

    def __getitem__(self, key: str) -> bytes:
        """Raise NoCacheError."""
        _refuse()

    def __delitem__(self, key: str) -> None:
        """Raise NoCacheError."""
        _refuse()

    def __iter__(self) -> Iterator[str]:
        """Raise NoCacheError, when the iteration is asked for and not at its first step."""
        _refuse()

    def group(self, key: str, /) -> JobCache:
        """Raise NoCacheError."""
        _refuse()

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Raise NoCacheError."""
        _refuse()


def _refuse() -> NoReturn:
    raise NoCacheError
