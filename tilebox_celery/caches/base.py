"""The contract of a job cache: what tasks may do with it, and what a backend must define."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from tilebox_celery.errors import ArgumentError


class JobCache(ABC):
    """Store bytes under string keys, for all tasks of one job.

    A ``/`` in a key names groups: ``cache["g/n/v"]`` is ``cache.group("g").group("n")["v"]``. A name may be a value
    and a group at the same time. Subclass it for a backend of your own; it must be safe to use from several threads.

    Example:
        >>> class DictCache(JobCache):
        ...     def __init__(self, values=None, prefix=""):
        ...         self.values, self.prefix = {} if values is None else values, prefix
        ...     def __setitem__(self, key, value):
        ...         self.values[self.prefix + key] = value
        ...     def __getitem__(self, key):
        ...         return self.values[self.prefix + key]
        ...     def __iter__(self):
        ...         names = (key.removeprefix(self.prefix) for key in self.values if key.startswith(self.prefix))
        ...         return iter(sorted(name for name in names if "/" not in name))
        ...     def group(self, key):
        ...         return DictCache(self.values, self.prefix + key + "/")
        >>> cache = DictCache()
        >>> cache["scores/first"] = b"1"
        >>> "first" in cache.group("scores"), list(cache)
        (True, [])
    """

    shared_between_processes: bool = True
    """Whether a value that one process stores is seen by the others; if not, a pool of processes refuses the cache."""

    @abstractmethod
    def __setitem__(self, key: str, value: bytes) -> None:
        """Store a value; whoever reads the key sees the old value or the new one, nothing between."""

    @abstractmethod
    def __getitem__(self, key: str) -> bytes:
        """Return the value of a key, or raise a KeyError."""

    @abstractmethod
    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys directly in this group, sorted, without its subgroups."""

    @abstractmethod
    def group(self, key: str, /) -> "JobCache":
        """Return the cache of a group; a name with ``/`` is a nested one."""

    def __contains__(self, key: object) -> bool:
        """Tell whether a value is stored under the key; a group alone is none."""
        try:
            self[key]  # type: ignore[index]  # a backend answers keys of another type with its own TypeError
        except KeyError:
            return False
        return True

    def __delitem__(self, key: str) -> None:
        """Remove the value of a key, or raise a KeyError."""
        raise TypeError(f"{type(self).__name__} cannot delete {key!r}: define __delitem__ in it.")

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Iterate over the keys directly in this group with their values."""
        for key in self:
            try:
                value = self[key]
            except KeyError:  # deleted since we listed it
                continue
            yield key, value


def check_pool(cache: JobCache, processes: int) -> None:
    """Refuse a cache that the processes of a pool would not share.

    Args:
        cache: The cache that a runner was given.
        processes: How many processes of that runner execute tasks.

    Raises:
        ArgumentError: There are several processes, and the cache lives in the memory of one.

    Example:
        >>> from tilebox_celery.caches import InMemoryCache
        >>> check_pool(InMemoryCache(), processes=1)
    """
    if processes > 1 and not cache.shared_between_processes:
        raise ArgumentError(
            f"{type(cache).__name__} lives in the memory of one process, so the {processes} processes of this runner "
            "would not see each other's values. Use LocalFileSystemCache, pool='threads', or concurrency=1."
        )
