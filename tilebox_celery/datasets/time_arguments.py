"""Read every form in which a user may pass an instant or a span of time."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from tilebox_celery.datasets.time_interval import EPOCH, TimeInterval, TimeIntervalLike
from tilebox_celery.errors import ArgumentError

_FORMS = "pass a datetime, an ISO 8601 text such as '2024-08-01T12:00:00', or seconds since 1970"
_YEAR_OR_MONTH = re.compile(r"(\d{4})(-\d{2})?")


def parse_time_argument(value: TimeIntervalLike) -> TimeInterval:
    """Return the interval that a time argument means, in UTC.

    A single instant (a datetime, an ISO 8601 text, seconds since 1970) means its millisecond. A tuple of two means from
    the first until before the second. Any other iterable, such as a list, an array or `dataset.time`, means from its
    first element to its last, both included; so does a loaded dataset. What has no timezone is in UTC.

    Raises:
        ArgumentError: It is none of these, it is empty, or it ends before it starts.

    Example:
        >>> print(parse_time_argument(("2017-01-01", "2023-01-01")))
        [2017-01-01T00:00:00.000 UTC, 2023-01-01T00:00:00.000 UTC)
        >>> print(parse_time_argument("2024-08-01 00:00:01.362"))
        [2024-08-01T00:00:01.362 UTC, 2024-08-01T00:00:01.362 UTC]
    """
    if isinstance(value, TimeInterval):
        return value.astimezone(UTC)
    if isinstance(value, tuple) and len(value) == 2:
        return TimeInterval(parse_instant(value[0]), parse_instant(value[1]))
    values = _time_of_dataset(value)
    if isinstance(values, set | frozenset):
        raise ArgumentError("A set has no first and last time: pass a list, or a tuple of the first and the end.")
    if isinstance(values, str | bytes | date) or not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0:
        first = last = values
    else:
        first, last = _ends(values)
    return TimeInterval(_whole(parse_instant(first)), _whole(parse_instant(last)), end_inclusive=True)


def parse_instant(value: Any) -> datetime:
    """Return the instant that a datetime, a text or a number of seconds means, in UTC and to the microsecond.

    Raises:
        ArgumentError: It is none, or it lies outside the years 1 to 9999.

    Example:
        >>> parse_instant(1722470400).isoformat()
        '2024-08-01T00:00:00+00:00'
    """
    try:
        instant = _read(value)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise ArgumentError(f"The time {value!r} cannot be read: {_FORMS}.") from error


def _read(value: Any) -> datetime:
    """Return the instant, or raise what the standard library does."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "dtype"):  # a number or datetime64 of numpy or xarray
        value = _plain(value)
    if isinstance(value, str):
        return _read_text(value.strip())
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.time(), value.tzinfo)  # of pandas too, whose NaT is refused here
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    return EPOCH + timedelta(seconds=value)


def _read_text(text: str) -> datetime:
    if short := _YEAR_OR_MONTH.fullmatch(text):
        text = f"{short[1]}{short[2] or '-01'}-01"
    return datetime.fromisoformat(text.removesuffix(" UTC"))


def _plain(value: Any) -> Any:
    """Return the Python value in an array without dimensions; what numpy cannot convert stays a number or None."""
    single = getattr(value, "values", value)
    if single.dtype.kind != "M":
        return single.item()
    from numpy import datetime_data  # loaded already: the value is one of numpy

    instant = single.astype("datetime64[us]")
    is_finer = datetime_data(single.dtype)[0] in ("ns", "ps", "fs", "as")
    if not is_finer and instant.astype(single.dtype) != single:
        raise OverflowError(value)  # numpy does not say so
    return instant.item()


def _whole(instant: datetime) -> datetime:
    """Cut to the millisecond, as datapoints are when they are stored."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def _time_of_dataset(value: Any) -> Any:
    """Return the times of an xarray dataset, and anything else as it is."""
    if not hasattr(value, "data_vars"):
        return value
    if "time" not in value.variables:
        raise ArgumentError("The dataset has no 'time', so it means no span of time: load it before you pass it.")
    return value["time"]


def _ends(values: Any) -> tuple[Any, Any]:
    """Return the first and the last element, without going through all of an array."""
    if hasattr(values, "dtype") and hasattr(values, "shape"):
        if len(values.shape) != 1:
            raise ArgumentError(f"Times come in one dimension, but these have {len(values.shape)}: pass one of them.")
        values = getattr(values, "array", values)  # a Series is indexed by its labels
        ends = [values[0], values[-1]] if len(values) else []
    else:
        ends = list(values)
    if not ends:
        raise ArgumentError("The list of times is empty, so it means no span of time: pass at least one.")
    return ends[0], ends[-1]
