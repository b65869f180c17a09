"""One value of JSON as a value of a field's type: what fits is taken, anything else is refused with a reason."""

import base64
import binascii
from collections.abc import Callable
from typing import Any
from uuid import UUID

from tilebox_celery.datasets.json_text import canonical_dumps, dumps
from tilebox_celery.datasets.schema import VECTOR_SIZES, FieldType
from tilebox_celery.datasets.stac.times import duration_nanoseconds, time_nanoseconds

_RANGES = {
    FieldType.INT32: range(-(2**31), 2**31),
    FieldType.INT64: range(-(2**63), 2**63),
    FieldType.UINT64: range(2**64),
}


class ValueRefused(ValueError):
    """A value in a list cannot become a value of its field; it never leaves this package."""

    def __init__(self, position: int, reason: str) -> None:
        """Keep where and why; the reason follows the name of the property in a sentence."""
        super().__init__(reason)
        self.position = position
        self.reason = reason


def reader_of(field_type: FieldType) -> Callable[[Any], Any]:
    """Return the function that makes one value ready for Arrow, or raises ValueError or TypeError with the reason."""
    if field_type in _RANGES:
        return lambda value: _whole_number(value, _RANGES[field_type])
    if field_type in VECTOR_SIZES:
        return lambda value: _vector(value, VECTOR_SIZES[field_type])
    return _READERS[field_type]


def _text(value: Any) -> str:
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError(f"is {_short(value)} with a NUL character, which Postgres cannot store")
        return value
    if isinstance(value, int | float):  # one provider writes orbit 51, another orbit "51"
        return dumps(value)
    raise ValueError(f"is {_short(value)}, which is no text")


def _whole_number(value: Any, allowed: range) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"is {_short(value)}, which is no whole number")
    try:
        number = int(value)
    except (ValueError, OverflowError):
        raise ValueError(f"is {_short(value)}, which is no whole number") from None
    if isinstance(value, float) and number != value:
        raise ValueError(f"is {_short(value)}, which is no whole number")
    if number not in allowed:
        raise ValueError(f"is {number}, which is not between {allowed[0]} and {allowed[-1]}")
    return number


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"is {_short(value)}, which is no number")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"is {_short(value)}, which is no number") from None


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"is {_short(value)}, which is neither true nor false")


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise ValueError(f"is {_short(value)}, which is no base64 text") from None


def _name(value: Any) -> str | None:
    return _text(value) or None  # an absent name is exported as an empty one


def _uuid(value: Any) -> bytes | None:
    if value == "":
        return None  # as an absent UUID is exported
    try:
        return value.bytes if isinstance(value, UUID) else UUID(value).bytes
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f"is {_short(value)}, which is no UUID") from None


def _vector(value: Any, size: int) -> list[float]:
    if not isinstance(value, list | tuple) or len(value) != size:
        raise ValueError(f"is {_short(value)}, which is no list of {size} numbers")
    return [float("nan") if each is None else _number(each) for each in value]


def _json(value: Any) -> str:
    try:
        return canonical_dumps(value)
    except TypeError as error:
        raise ValueError(f"cannot be written as JSON: {error}") from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_READERS: dict[FieldType, Callable[[Any], Any]] = {
    FieldType.STRING: _text,
    FieldType.ENUM: _name,
    FieldType.BYTES: _bytes,
    FieldType.BOOL: _truth,
    FieldType.FLOAT: _number,
    FieldType.DOUBLE: _number,
    FieldType.TIMESTAMP: time_nanoseconds,
    FieldType.DURATION: duration_nanoseconds,
    FieldType.UUID: _uuid,
    FieldType.JSON: _json,
}
