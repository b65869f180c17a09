"""Read single Python values as a type of field; what is none of it is refused with its row."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from tilebox_celery.datasets.arrow_types import value_type
from tilebox_celery.datasets.incoming_place import Place, shown
from tilebox_celery.datasets.json_text import has_nul, is_canonical, strict_dumps
from tilebox_celery.datasets.schema import FieldType
from tilebox_celery.datasets.time_arguments import parse_instant
from tilebox_celery.datasets.time_interval import EPOCH

_INTEGER_RANGES = {
    FieldType.INT32: (-(1 << 31), (1 << 31) - 1),
    FieldType.INT64: (-(1 << 63), (1 << 63) - 1),
    FieldType.UINT64: (0, (1 << 64) - 1),
}
_NANOSECONDS_END = 1 << 63
_MICROSECOND = timedelta(microseconds=1)
_NANOSECOND_DIGITS = re.compile(r"\.\d{6}(\d{1,3})")
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def read_values(values: Sequence[Any], field_type: FieldType, place: Place) -> pa.Array:
    """Return the Arrow array of Python values, any of which may be missing.

    Raises:
        ArgumentError: A value is not of the type.

    Example:
        >>> read_values(["2024-08-01", None], FieldType.TIMESTAMP, Place("seen")).null_count
        1
    """
    read = _READERS[field_type]
    plain = []
    for index, value in enumerate(values):
        try:
            plain.append(None if is_missing(value) else read(value))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise place.refusal(index, str(error).rstrip(".")) from error
    return pa.array(plain, value_type(field_type))


def is_missing(value: Any) -> bool:
    """Return whether a value stands for none: None, NaN, NaT of numpy and pandas, NA of pandas."""
    if value is None or type(value).__name__ == "NAType":
        return True
    return isinstance(value, float | np.generic | datetime) and bool(value != value)  # noqa: PLR0124 (NaN, NaT)


def _expected(what: str, value: Any) -> TypeError:
    return TypeError(f"expected {what}, but got {shown(value)} ({type(value).__name__})")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _expected("a text", value)
    if "\0" in value:
        raise ValueError("the text has a NUL character, which Postgres cannot store")
    value.encode()  # half of a surrogate pair is refused here
    return str(value)


def _name(value: Any) -> str | None:
    return _text(value) or None  # an absent name loads as an empty one


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise _expected("bytes", value)
    return bytes(value)


def _bool(value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise _expected("True or False", value)
    return bool(value)


def _integer_reader(field_type: FieldType) -> Callable[[Any], int]:
    smallest, largest = _INTEGER_RANGES[field_type]

    def read(value: Any) -> int:
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number | Decimal):
            raise _expected("a whole number", value)
        if int(value) != value:
            raise _expected("a whole number", value)
        if not smallest <= int(value) <= largest:
            raise ValueError(f"{shown(value)} lies outside {smallest} to {largest}, which {field_type} holds")
        return int(value)

    return read


def read_number(value: Any) -> float:
    """Return a number as a float."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number | Decimal):
        raise _expected("a number", value)
    return float(value)


def _float32(value: Any) -> float:
    number = read_number(value)
    if _LARGEST_FLOAT32 < abs(number) < np.inf:
        raise ValueError(f"{shown(value)} is too large for float: make the field a double")
    return number


def _nanoseconds(count: int, value: Any) -> int:
    if not -_NANOSECONDS_END < count < _NANOSECONDS_END:
        raise _beyond(value)
    return count


def _beyond(value: Any) -> ValueError:
    return ValueError(f"{shown(value)} lies beyond the 292 years to either side of 1970 that nanoseconds can hold")


def read_timestamp(value: Any) -> int:
    """Return nanoseconds since 1970 of anything that is an instant in a time argument."""
    if isinstance(value, np.datetime64):
        return _numpy_nanoseconds(value, "datetime64[ns]")
    below_microsecond = getattr(value, "nanosecond", 0)
    if isinstance(value, str) and (digits := _NANOSECOND_DIGITS.search(value)):
        below_microsecond = int(digits[1].ljust(3, "0"))
    instant = parse_instant(value)
    return _nanoseconds((instant - EPOCH) // _MICROSECOND * 1000 + below_microsecond, value)


def read_duration(value: Any) -> int:
    """Return the nanoseconds of a timedelta or of a number of seconds."""
    if isinstance(value, np.timedelta64):
        return _numpy_nanoseconds(value, "timedelta64[ns]")
    if isinstance(value, timedelta):
        return _nanoseconds(value // _MICROSECOND * 1000 + getattr(value, "nanoseconds", 0) % 1000, value)
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise _expected("a timedelta or a number of seconds", value)
    return _nanoseconds(round(value * 1_000_000_000), value)


def _numpy_nanoseconds(value: Any, dtype: str) -> int:
    """Return the nanoseconds of a datetime64 or timedelta64; numpy does not say when they overflow."""
    nanoseconds = value.astype(dtype)
    is_finer = np.datetime_data(value.dtype)[0] in ("ps", "fs", "as")
    if not is_finer and nanoseconds.astype(value.dtype) != value:
        raise _beyond(value)
    return int(nanoseconds.astype(np.int64))


def _uuid(value: Any) -> bytes | None:
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, bytes) and len(value) == 16:
        return value
    if not isinstance(value, str):
        raise _expected("a UUID", value)
    if not value:
        return None  # an absent UUID loads as an empty text
    try:
        return UUID(value).bytes
    except ValueError:
        raise _expected("a UUID", value) from None


def _json(value: Any) -> str:
    """Return JSON text, always the same for equal values."""
    try:
        text = strict_dumps(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{shown(value)} is not JSON: {error}") from error
    if has_nul(text):
        raise ValueError("a text in the JSON has a NUL character, which Postgres cannot store")
    return text


def json_from_text(values: Sequence[Any], place: Place) -> pa.Array:
    """Return the Arrow array of JSON texts, each written in the one way in which we write its value."""
    return pa.array([_rewritten(text, index, place) for index, text in enumerate(values)], pa.string())


def _rewritten(text: str | None, index: int, place: Place) -> str | None:
    if text is None or (is_canonical(text) and text != "null"):
        return text
    try:
        value = json.loads(text)
    except ValueError as error:
        raise place.refusal(index, f"{shown(text)} is no JSON text: {error}") from error
    try:
        return None if is_missing(value) else _json(value)
    except (ValueError, RecursionError) as error:
        raise place.refusal(index, str(error).rstrip(".")) from error


_READERS: dict[FieldType, Callable[[Any], Any]] = {
    FieldType.STRING: _text,
    FieldType.BYTES: _bytes,
    FieldType.BOOL: _bool,
    FieldType.INT32: _integer_reader(FieldType.INT32),
    FieldType.INT64: _integer_reader(FieldType.INT64),
    FieldType.UINT64: _integer_reader(FieldType.UINT64),
    FieldType.FLOAT: _float32,
    FieldType.DOUBLE: read_number,
    FieldType.TIMESTAMP: read_timestamp,
    FieldType.DURATION: read_duration,
    FieldType.UUID: _uuid,
    FieldType.ENUM: _name,
    FieldType.JSON: _json,
}
