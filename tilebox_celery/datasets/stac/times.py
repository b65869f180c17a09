"""Times and durations as STAC writes them, exact to the nanosecond."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

NANOSECONDS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?)? ?([Zz]|[+-]\d\d:?\d\d)?")
_DURATION = re.compile(
    r"(-)?P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_SECONDS_OF_PARTS = (604_800, 86_400, 3_600, 60, 1)


def time_nanoseconds(value: Any) -> int:
    """Return nanoseconds since 1970 of RFC 3339 text or of a datetime; what names no zone is UTC.

    Raises:
        ValueError: It is no such time; the text says why.

    Example:
        >>> time_nanoseconds("1970-01-01T00:00:01.000000002Z")
        1000000002
    """
    if isinstance(value, datetime):
        extra = int(getattr(value, "nanosecond", 0))  # of a pandas Timestamp
        plain = datetime.fromisoformat(value.isoformat()[:26]) if extra else value
        aware = value.astimezone(UTC) if value.tzinfo else plain.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(microseconds=1) * 1000 + extra
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"is {value!r}, which is no time such as 2024-08-01T00:26:11Z")
    day, clock, fraction, zone = found.groups()
    zone = "Z" if zone is None else zone.upper()
    try:
        whole = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{zone}")
    except ValueError as error:
        raise ValueError(f"is {value!r}, which is no time: {error}") from None
    return (whole - _EPOCH) // timedelta(seconds=1) * NANOSECONDS + int((fraction or "0")[:9].ljust(9, "0"))


def duration_nanoseconds(value: Any) -> int:
    """Return nanoseconds of a number of seconds, a timedelta or ISO 8601 text such as ``PT1.5S``.

    Raises:
        ValueError: It is no such duration; the text says why.
    """
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1) * 1000 + int(getattr(value, "nanoseconds", 0))
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63 / NANOSECONDS:
        return round(value * NANOSECONDS)
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or not any(found.groups()[1:]):
        raise ValueError(f"is {value!r}, which is no duration in seconds or such as PT1.5S")
    sign, *parts = found.groups()
    seconds = sum(float(part) * unit for part, unit in zip(parts, _SECONDS_OF_PARTS, strict=True) if part)
    return round(seconds * NANOSECONDS) * (-1 if sign else 1)


def fast_nanoseconds(values: Sequence[Any]) -> pa.Array:
    """Return what `time_nanoseconds` gives for each, as int64, all at once; raises where a value is unusual."""
    return pa.array(values, pa.string()).cast(pa.timestamp("ns", "UTC")).cast(pa.int64())


def floor_to_milliseconds(nanoseconds: pa.Array) -> pa.Array:
    """Return timestamp[ms] of int64 nanoseconds; also before 1970 the millisecond that has begun."""
    numbers: npt.NDArray[np.int64] = nanoseconds.to_numpy(zero_copy_only=False)
    return pa.array(np.floor_divide(numbers, 1_000_000), pa.int64()).cast(pa.timestamp("ms"))
