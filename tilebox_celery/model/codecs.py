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

Encode = Callable[[Any], Any]
"""Turns a value into something that JSON can hold, or into another value that has an `Encode`."""
Decode = Callable[[Any], Any]
"""Turns a JSON value back; raises TypeError or ValueError if it does not fit."""

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
    _ENCODERS.clear()


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


TEXT_CODECS: dict[type, tuple[Encode, Decode]] = {
    datetime: (methodcaller("isoformat"), datetime.fromisoformat),
    date: (methodcaller("isoformat"), date.fromisoformat),
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
_ENCODERS: dict[type, Encode] = {}


def value_encoder(decoded: tuple[type, ...]) -> Encode:
    """Build the `default` hook of an encoder: it turns a value that JSON does not know into one that it knows.

    The hook raises TypeError for a type that is not supported, or that would come back as another one.

    Args:
        decoded: The classes that the annotation of a field brings back.
    """

    def encode_value(value: Any) -> Any:
        cls = type(value)
        encode = _ENCODERS.get(cls)
        if encode is None:
            encode = _ENCODERS[cls] = _find_encoder(cls)
        if encode is not _encode_scalar and not isinstance(value, decoded):
            raise TypeError(f"its annotation would not bring {value!r:.80} back as a {cls.__name__}")
        return encode(value)

    return encode_value


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


def _find_encoder(cls: type) -> Encode:  # noqa: PLR0911 # one return per kind of class
    for base in cls.__mro__:
        if codec := CODECS.get(base) or TEXT_CODECS.get(base):
            return codec[0]
    if issubclass(cls, Enum):
        return encode_enum
    if is_dataclass(cls):
        names = [field.name for field in stored_fields(cls)]
        return lambda value: {name: getattr(value, name) for name in names}
    if is_message(cls):
        return lambda value: encode_bytes(value.SerializeToString())
    if issubclass(cls, AbstractSet):
        return _encode_set
    if issubclass(cls, Mapping):
        return dict
    if hasattr(cls, "dtype") and hasattr(cls, "item"):
        return _encode_scalar
    raise TypeError(f"{cls.__name__} is not JSON")


def _encode_set(value: AbstractSet[Any]) -> list[Any]:
    try:
        return sorted(value)  # equal sets give equal inputs
    except TypeError:
        return list(value)


def _encode_scalar(value: Any) -> Any:
    # numpy's float32(1.5) and int64(3) are what array code hands on; a whole array is no input
    if getattr(value, "ndim", 0):
        raise TypeError(f"an array of shape {value.shape} is not JSON; put it into the job cache")
    if value.dtype.kind in "mM":
        raise TypeError(f"{value!r} is not JSON; use a datetime or a timedelta")
    return value.item()
