"""Take values out of a JSON object, each of its type, and know what is left."""

import math
from collections.abc import Mapping
from typing import Any

from tilebox_celery.errors import ArgumentError

_NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
"""Which STAC writes as texts, since JSON has none of them."""


class Reader:
    """Reads one JSON object; null counts as absent.

    Args:
        what: Names the object in errors.
        value: The object.

    Raises:
        ArgumentError: It is none; each method raises it where a value is not of its type.

    Example:
        >>> read = Reader("The asset 'red'", {"title": "Red", "nodata": "nan", "other": 1})
        >>> read.text("title"), read.number("nodata"), read.rest()
        ('Red', nan, {'other': 1})
    """

    def __init__(self, what: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise ArgumentError(f"{what} is {str(value)[:60]!r} instead of a JSON object.")
        self.what = what
        self._value = value
        self._taken: set[str] = set()

    def any(self, key: str) -> Any:
        """Return a value of any type, None where it is absent."""
        self._taken.add(key)
        return self._value.get(key)

    def text(self, key: str) -> str | None:
        """Return a text."""
        value = self.any(key)
        return value if value is None or isinstance(value, str) else self._refuse(key, value, "a text")

    def number(self, key: str) -> float | None:
        """Return a number, one of the texts that stand for NaN and infinity among them."""
        value: Any = self.any(key)
        if isinstance(value, str) and value.lower() in _NUMBERS:
            return _NUMBERS[value.lower()]
        found: float | None = value if value is None or _is_number(value) else self._refuse(key, value, "a number")
        return found

    def whole(self, key: str) -> int | None:
        """Return a whole number."""
        value = self.number(key)
        if value is not None and (not math.isfinite(value) or value != int(value)):
            self._refuse(key, value, "a whole number")
        return None if value is None else int(value)

    def truth(self, key: str) -> bool | None:
        """Return true or false."""
        value = self.any(key)
        return value if value is None or isinstance(value, bool) else self._refuse(key, value, "true or false")

    def texts(self, key: str) -> list[str]:
        """Return a list of texts, empty where it is absent."""
        value = self.list(key)
        return value if all(isinstance(each, str) for each in value) else self._refuse(key, value, "a list of texts")

    def numbers(self, key: str) -> tuple[float, ...] | None:
        """Return a list of numbers, None where it is absent or empty."""
        value = self.list(key)
        return tuple(value) or None if all(map(_is_number, value)) else self._refuse(key, value, "a list of numbers")

    def list(self, key: str) -> list[Any]:
        """Return a list, empty where it is absent."""
        value = self.any(key)
        return [] if value is None else value if isinstance(value, list) else self._refuse(key, value, "a list")

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Return an object, empty where it is absent."""
        value = self.any(key)
        return {} if value is None else value if isinstance(value, Mapping) else self._refuse(key, value, "an object")

    def has(self, *keys: str) -> bool:
        """Tell whether one of these is there, be it null."""
        return any(key in self._value for key in keys)

    def take(self, *keys: str) -> None:
        """Count these as asked for."""
        self._taken.update(keys)

    def rest(self) -> dict[str, Any]:
        """Return what nobody has asked for."""
        return {key: value for key, value in self._value.items() if key not in self._taken}

    def _refuse(self, key: str, value: Any, expected: str) -> Any:
        raise ArgumentError(f"{self.what} has {key!r} {str(value)[:60]!r}, which is not {expected}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
