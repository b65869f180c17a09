"""How a single value of each supported type becomes JSON, and how it comes back."""

import base64
import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import Field, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from operator import methodcaller
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

from tilebox_celery.model.libraries import is_library_type
from tilebox_celery.model.text import shown

Encode = Callable[[Any], Any]
"""Turns a value into JSON data; raises TypeError or ValueError if it does not fit."""
Decode = Callable[[Any], Any]
"""Turns a JSON value back; raises TypeError or ValueError if it does not fit."""

JSON_TYPES = (str, int, float, bool, type(None), list, tuple, dict)
"""What is JSON data as it stands, if what it holds is."""
_DURATION = re.compile(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,6}))?S)?)?")


def register_codec(cls: type, encode: Encode, decode: Decode) -> None:
    """Teach task inputs another type.

    Args:
        cls: The type, as it stands in annotations; values of its subclasses are encoded the same way.
        encode: Turns a value into JSON data.
        decode: Turns that JSON data back; raises ValueError if it does not fit.

    Example:
        >>> register_codec(range, lambda r: [r.start, r.stop, r.step], lambda v: range(*v))
    """
    TEXT_CODECS.pop(cls, None)
    CODECS[cls] = (encode, decode)


def encode_timedelta(value: timedelta) -> str:
    """Write a time span as an ISO 8601 duration.

    Example:
        >>> encode_timedelta(timedelta(days=1, seconds=90.5))
        'P1DT90.500000S'
    """
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    fraction = f".{value.microseconds:06}" if value.microseconds else ""
    return f"{sign}P{value.days}DT{value.seconds}{fraction}S"


def decode_timedelta(text: str) -> timedelta:
    """Read an ISO 8601 duration of days, hours, minutes and seconds.

    Example:
        >>> decode_timedelta("PT1H30M")
        datetime.timedelta(seconds=5400)
    """
    match = _DURATION.fullmatch(text)
    if match is None or text[-1] in "PT":
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as PT90S")
    sign, *numbers, fraction = match.groups()
    days, hours, minutes, seconds = (int(number or 0) for number in numbers)
    micros = int((fraction or "").ljust(6, "0"))
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, microseconds=micros)
    return -span if sign else span


def encode_bytes(value: bytes | bytearray | memoryview) -> str:
    """Write bytes as base64 text."""
    return base64.b64encode(value).decode("ascii")


def decode_bytes(text: str) -> bytes:
    """Read base64 text."""
    return base64.b64decode(text, validate=True)


def _decode_decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise ValueError(f"{text!r} is not a decimal number") from None


def _encode_date(value: date) -> str:
    if isinstance(value, datetime):
        raise TypeError(f"expected a date, got {value!r:.80}")
    return value.isoformat()


def _encode_datetime(value: datetime) -> str:
    text = value.isoformat()
    if text == "NaT":  # that of pandas is a datetime
        raise ValueError("NaT is no time; use None for a missing one")
    return text


TEXT_CODECS: dict[type, tuple[Encode, Decode]] = {
    datetime: (_encode_datetime, datetime.fromisoformat),
    date: (_encode_date, date.fromisoformat),
    time: (methodcaller("isoformat"), time.fromisoformat),
    timedelta: (encode_timedelta, decode_timedelta),
    UUID: (str, UUID),
    Decimal: (str, _decode_decimal),
    PurePath: (str, PurePath),
    Path: (str, Path),
    bytes: (encode_bytes, decode_bytes),
    bytearray: (encode_bytes, lambda text: bytearray(decode_bytes(text))),
    memoryview: (encode_bytes, lambda text: memoryview(decode_bytes(text))),
}
"""Types that are written as JSON text."""
CODECS: dict[type, tuple[Encode, Decode]] = {}
"""Types that a user has registered."""


def refuse_value(value: Any) -> Any:
    """Turn the numbers of numpy into plain ones, and refuse all else that JSON does not know.

    This is the `default` hook of the JSON encoder: by then all values that an annotation brings back are JSON data.

    Raises:
        TypeError: Always, except for a number of numpy; the message says whether the annotation is the reason.
    """
    cls = type(value)
    if hasattr(cls, "dtype") and hasattr(cls, "item"):
        return _encode_scalar(value)
    if _has_form(cls):
        raise TypeError(f"its annotation would not bring {shown(value)} back as a {cls.__name__}")
    raise TypeError(f"{cls.__name__} is not JSON")


def encode_text(cls: type, base: type) -> Encode:
    """Build the way to JSON for a class that is, or inherits from, one of `TEXT_CODECS`."""
    encode, decode = TEXT_CODECS[base][0], decode_text(cls, base)

    def checked(value: Any) -> Any:
        if isinstance(value, base):
            return encode(value)
        return encode_data(value, decode)

    return checked


def encode_data(value: Any, decode: Decode) -> Any:
    """Take JSON data in the place of a value, if it can be read there.

    Raises:
        TypeError, ValueError: It is no JSON data, or cannot be read.
    """
    data = value if isinstance(value, JSON_TYPES) else refuse_value(value)
    if isinstance(data, tuple):
        data = list(data)
    decode(data)
    return data


def decode_text(cls: type, base: type) -> Decode:
    """Build the way back for a class that is, or inherits from, one of `TEXT_CODECS`."""
    if base in (datetime, date, time):
        decode: Decode = cls.fromisoformat  # type: ignore[attr-defined] # all three have it
    else:
        decode = cls if base in (UUID, PurePath, Path) else TEXT_CODECS[base][1]

    def checked(data: Any) -> Any:
        if not isinstance(data, str):
            raise TypeError(f"expected the text of a {cls.__name__}, got {data!r:.80}")
        return decode(data)

    return checked


def is_message(cls: object) -> bool:
    """Return whether a class looks like a protobuf message."""
    return isinstance(cls, type) and hasattr(cls, "SerializeToString") and hasattr(cls, "FromString")


def stored_fields(cls: Any) -> list[Field[Any]]:
    """List the fields of a dataclass that travel: not computed ones, and not those marked `skip_serialization`."""
    return [field for field in fields(cls) if field.init and not field.metadata.get("skip_serialization")]


def encode_enum(value: Enum) -> Any:
    """Write a member of an enumeration: by its value, or by its name if JSON cannot hold the value."""
    return value.value if isinstance(value.value, str | int | float) else value.name


def decode_enum(cls: type[Enum]) -> Decode:
    """Build the way back of `encode_enum`."""

    def decode(data: Any) -> Enum:
        try:
            return cls(data)
        except ValueError:
            if isinstance(data, str) and data in cls.__members__:
                return cls[data]
            raise

    return decode


def _has_form(cls: type) -> bool:
    return (
        any(base in CODECS or base in TEXT_CODECS for base in cls.__mro__)
        or issubclass(cls, Enum | AbstractSet | Mapping)
        or is_dataclass(cls)
        or is_message(cls)
        or is_library_type(cls)
    )


def _encode_scalar(value: Any) -> Any:
    # numpy's float32(1.5) and int64(3) are what array code hands on; a whole array is no input
    if getattr(value, "ndim", 0):
        raise TypeError(f"an array of shape {value.shape} is not JSON; put it into the job cache")
    if value.dtype.kind in "mM":
        raise TypeError(f"{value!r} is not JSON; annotate the field with its class, or use a datetime or a timedelta")
    return value.item()
