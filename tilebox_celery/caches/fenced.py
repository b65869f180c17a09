"""A cache that an attempt may write to only while it holds its task."""

from collections.abc import Callable, Iterator

from tilebox_celery.caches.base import JobCache
from tilebox_celery.errors import LeaseLost


class FencedCache(JobCache):
    """Pass everything on to a cache, but refuse writes of an attempt that was superseded.

    Reading stays allowed: it changes nothing, and lets a task that is about to be stopped fail in its own way.

    Example:
        >>> from tilebox_celery.caches import InMemoryCache
        >>> cache = FencedCache(InMemoryCache(), is_current=lambda: False)
        >>> cache["tile"] = b"..."
        Traceback (most recent call last):
        tilebox_celery.errors.LeaseLost: 'tile' was not cached: this attempt's task was given to another runner.
    """

    def __init__(self, cache: JobCache, is_current: Callable[[], bool]) -> None:
        """Fence a cache.

        Args:
            cache: Where values go.
            is_current: Tells whether the attempt still holds its task; called before each write, so keep it cheap.
        """
        self._cache = cache
        self._is_current = is_current
        self.shared_between_processes = cache.shared_between_processes

    def __contains__(self, key: object) -> bool:
        """Ask the fenced cache."""
        return key in self._cache

    def __setitem__(self, key: str, value: bytes) -> None:
        """Store a value, or raise LeaseLost."""
        self._check(key, "cached")
        self._cache[key] = value

    def __getitem__(self, key: str) -> bytes:
        """Read from the fenced cache."""
        return self._cache[key]

    def __delitem__(self, key: str) -> None:
        """Remove a value, or raise LeaseLost."""
        self._check(key, "deleted")
        del self._cache[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the fenced cache."""
        return iter(self._cache)

    def group(self, key: str, /) -> "FencedCache":
        """Return the fenced cache of a group."""
        return FencedCache(self._cache.group(key), self._is_current)

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Iterate over the fenced cache."""
        return self._cache.items()

    def __repr__(self) -> str:
        """Show the fenced cache."""
        return repr(self._cache)

    def _check(self, key: str, verb: str) -> None:
        if not self._is_current():
            raise LeaseLost(f"{key!r} was not {verb}: this attempt's task was given to another runner.")
