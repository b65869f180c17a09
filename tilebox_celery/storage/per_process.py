"""Keep what must not cross a fork, such as open connections, once per process."""

import os
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class PerProcess(Generic[Value]):
    """Make a value at its first use in each process.

    Example:
        >>> numbers = PerProcess(list)
        >>> numbers.get() is numbers.get()
        True
    """

    def __init__(self, make: Callable[[], Value]) -> None:
        """Name what makes it."""
        self._make = make
        self._lock = Lock()
        self._owner: int | None = None
        self._value: Value | None = None

    def get(self) -> Value:
        """Return the value of this process."""
        if self._owner != os.getpid():
            if self._owner is not None:
                self._lock = Lock()  # a thread of the parent may have held it at the fork
            with self._lock:
                if self._owner != os.getpid():
                    self._value = self._make()
                    self._owner = os.getpid()
        assert self._value is not None
        return self._value
