"""A cache in the memory of this process."""

from threading import Lock

from tilebox_celery.caches.stored import StoredCache


class InMemoryCache(StoredCache):
    """Keep values in this process: for tests, and for a runner of one process.

    Example:
        >>> cache = InMemoryCache()
        >>> cache["movies/1"] = b"Metropolis"
        >>> cache.group("movies")["1"], list(cache.group("movies"))
        (b'Metropolis', ['1'])
    """

    shared_between_processes = False

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(MemoryStore())


class MemoryStore:
    """A dictionary of groups, each a dictionary of values."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = Lock()
        self._groups: dict[tuple[str, ...], dict[str, bytes]] = {}

    def read(self, path: tuple[str, ...]) -> bytes | None:
        """Return the value, or None where there is none."""
        with self._lock:
            return self._groups.get(path[:-1], {}).get(path[-1])

    def write(self, path: tuple[str, ...], value: bytes) -> None:
        """Store the value as a whole."""
        with self._lock:
            self._groups.setdefault(path[:-1], {})[path[-1]] = bytes(value)

    def delete(self, path: tuple[str, ...]) -> bool:
        """Remove the value, and tell whether there was one."""
        with self._lock:
            return self._groups.get(path[:-1], {}).pop(path[-1], None) is not None

    def has(self, path: tuple[str, ...]) -> bool:
        """Tell whether there is a value."""
        with self._lock:
            return path[-1] in self._groups.get(path[:-1], {})

    def names(self, group: tuple[str, ...]) -> list[str]:
        """Return the names of the values directly in the group."""
        with self._lock:
            return list(self._groups.get(group, {}))

    def clear(self, group: tuple[str, ...]) -> None:
        """Remove all values in the group and its subgroups."""
        with self._lock:
            for path in [path for path in self._groups if path[: len(group)] == group]:
                del self._groups[path]
