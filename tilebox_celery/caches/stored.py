"""The semantics that all built-in caches share, over the few things that a store can do."""

from collections.abc import Iterable, Iterator
from copy import copy
from typing import Protocol, Self

from tilebox_celery.caches.base import JobCache
from tilebox_celery.caches.keys import parse_key
from tilebox_celery.errors import NotFoundError


class Store(Protocol):
    """A place for bytes under checked paths; every method may be called from several threads at once."""

    def read(self, path: tuple[str, ...]) -> bytes | None:
        """Return the value, or None where there is none."""

    def write(self, path: tuple[str, ...], value: bytes) -> None:
        """Store the value as a whole."""

    def delete(self, path: tuple[str, ...]) -> bool:
        """Remove the value, and tell whether there was one."""

    def has(self, path: tuple[str, ...]) -> bool:
        """Tell whether there is a value."""

    def names(self, group: tuple[str, ...]) -> Iterable[str]:
        """Return the names of the values directly in the group, in any order."""

    def clear(self, group: tuple[str, ...]) -> None:
        """Remove all values in the group and its subgroups."""


class StoredCache(JobCache):
    """A group of keys in a store."""

    def __init__(self, store: Store) -> None:
        """Make the cache of the whole store."""
        self._store = store
        self._path: tuple[str, ...] = ()

    def __contains__(self, key: object) -> bool:
        """Tell whether a value is stored under the key; a group alone is none."""
        return self._store.has(parse_key(key, self._path))

    def __setitem__(self, key: str, value: bytes) -> None:
        """Store a value; whoever reads the key sees the old value or the new one, nothing between."""
        path = parse_key(key, self._path)
        if not isinstance(value, bytes):
            raise TypeError(
                f"A cache value is bytes, but got {type(value).__name__} for '{key}': encode it first, for example "
                "with json.dumps(value).encode()."
            )
        self._store.write(path, value)

    def __getitem__(self, key: str) -> bytes:
        """Return the value of a key.

        Raises:
            NotFoundError: Nothing is stored under the key; it is a KeyError.
        """
        value = self._store.read(parse_key(key, self._path))
        if value is None:
            raise NotFoundError(f"{key} is not cached!")
        return value

    def __delitem__(self, key: str) -> None:
        """Remove the value of a key.

        Raises:
            NotFoundError: Nothing is stored under the key; it is a KeyError.
        """
        if not self._store.delete(parse_key(key, self._path)):
            raise NotFoundError(f"{key} is not cached!")

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys directly in this group, sorted, without its subgroups."""
        return iter(sorted(self._store.names(self._path)))

    def group(self, key: str, /) -> Self:
        """Return the cache of a group; ``group("a/b")`` is ``group("a").group("b")``."""
        group = copy(self)
        group._path = parse_key(key, self._path)
        return group

    def clear(self) -> None:
        """Remove everything in this group and its subgroups."""
        self._store.clear(self._path)

    def __repr__(self) -> str:
        """Show the class and the group."""
        return f"<{type(self).__name__} {'/'.join(self._path) or 'root'}>"
