"""A span of time between two instants, with either end open or closed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, TypeAlias, Union

from tilebox_celery.errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_PER_MILLISECOND = 1_000


@dataclass(frozen=True, eq=False, repr=False)
class TimeInterval:
    """The time from one instant to another.

    Intervals are equal if they hold the same microseconds, however their ends are written.

    Args:
        start: The first instant; a datetime without a timezone is in UTC.
        end: The last instant.
        start_exclusive: Whether `start` itself is left out.
        end_inclusive: Whether `end` itself belongs to the interval.

    Raises:
        TypeError: `start` or `end` is no datetime.
        ArgumentError: `end` lies before `start`.

    Example:
        >>> years = TimeInterval(datetime(2017, 1, 1), datetime(2023, 1, 1))
        >>> print(years)
        [2017-01-01T00:00:00.000 UTC, 2023-01-01T00:00:00.000 UTC)
        >>> years == TimeInterval(datetime(2017, 1, 1), datetime(2022, 12, 31, 23, 59, 59, 999999), end_inclusive=True)
        True
    """

    start: datetime
    end: datetime
    start_exclusive: bool = False
    end_inclusive: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", _plain(self.start, "start"))
        object.__setattr__(self, "end", _plain(self.end, "end"))
        if self.end < self.start:
            raise ArgumentError(
                f"The time interval ends at {self.end.isoformat()}, before its start at {self.start.isoformat()}: "
                "swap the two."
            )

    def to_half_open(self) -> "TimeInterval":
        """Return the same interval with its start included and its end not, moving them by 1 microsecond if needed.

        Raises:
            ArgumentError: The end is the last instant that a datetime can hold.

        Example:
            >>> last = datetime(2017, 1, 31, 23, 59, 59, 999999)
            >>> closed = TimeInterval(datetime(2017, 1, 1), last, end_inclusive=True)
            >>> print(closed.to_half_open())
            [2017-01-01T00:00:00.000 UTC, 2017-02-01T00:00:00.000 UTC)
        """
        try:
            start = self.start + _MICROSECOND if self.start_exclusive else self.start
            end = self.end + _MICROSECOND if self.end_inclusive else self.end
        except OverflowError as error:
            raise ArgumentError(f"The time interval {self} has no half-open form: let it end earlier.") from error
        return TimeInterval(start, max(start, end))

    def astimezone(self, timezone: tzinfo) -> "TimeInterval":
        """Return the same interval, its ends written in another timezone.

        Example:
            >>> from zoneinfo import ZoneInfo
            >>> day = TimeInterval(datetime(2024, 8, 1), datetime(2024, 8, 2))
            >>> print(day.astimezone(ZoneInfo("Europe/Berlin")))
            [2024-08-01T02:00:00.000+02:00, 2024-08-02T02:00:00.000+02:00)
        """
        return TimeInterval(
            self.start.astimezone(timezone), self.end.astimezone(timezone), self.start_exclusive, self.end_inclusive
        )

    def format(self, sep: str = "T", timespec: str = "milliseconds") -> str:
        """Write the interval; one that holds no instant is ``<empty>``.

        Args:
            sep: One character between date and time.
            timespec: How precise, as in `datetime.isoformat`.

        Example:
            >>> TimeInterval(datetime(2024, 8, 1), datetime(2024, 8, 2)).format(" ", "minutes")
            '[2024-08-01 00:00 UTC, 2024-08-02 00:00 UTC)'
        """
        first, end = _microseconds(self)
        if end <= first:
            return "<empty>"
        start_text, end_text = (
            each.isoformat(sep, timespec).replace("+00:00", " UTC") for each in (self.start, self.end)
        )
        return f"{'(' if self.start_exclusive else '['}{start_text}, {end_text}{']' if self.end_inclusive else ')'}"

    @classmethod
    def parse(cls, value: "TimeIntervalLike") -> "TimeInterval":
        """Read any form in which a time may be passed to `load`; see `time_arguments.parse_time_argument`.

        Example:
            >>> print(TimeInterval.parse(("2017-01-01", "2023-01-01")))
            [2017-01-01T00:00:00.000 UTC, 2023-01-01T00:00:00.000 UTC)
        """
        from tilebox_celery.datasets.time_arguments import parse_time_argument

        return parse_time_argument(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeInterval) and _microseconds(self) == _microseconds(other)

    def __hash__(self) -> int:
        return hash(_microseconds(self))

    def __str__(self) -> str:
        return self.format()

    __repr__ = __str__


def milliseconds(interval: TimeInterval) -> tuple[int, int]:
    """Return the milliseconds since 1970 that lie in an interval, as the first and the one after the last.

    Example:
        >>> milliseconds(TimeInterval(EPOCH, EPOCH + timedelta(seconds=1), end_inclusive=True))
        (0, 1001)
    """
    first, end = (-(-each // _MICROSECONDS_PER_MILLISECOND) for each in _microseconds(interval))
    return first, max(first, end)


def _microseconds(interval: TimeInterval) -> tuple[int, int]:
    """Return the half-open form as integers, which do not overflow at the ends of the calendar."""
    start = (interval.start - EPOCH) // _MICROSECOND + interval.start_exclusive
    return start, (interval.end - EPOCH) // _MICROSECOND + interval.end_inclusive


def _plain(value: object, name: str) -> datetime:
    """Return a datetime with a timezone, and not one of pandas: those have nanoseconds, and a year may be missing."""
    if not isinstance(value, datetime) or value != value:  # noqa: PLR0124 (NaT of pandas is a datetime, and no instant)
        raise TypeError(f"The {name} of a time interval is a datetime, but got {value!r}: see TimeInterval.parse.")
    if type(value) is not datetime:
        value = datetime.combine(value.date(), value.time(), value.tzinfo)
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


TimeScalar: TypeAlias = Union[datetime, date, str, int, float, "np.datetime64"]
"""One instant: a datetime, an ISO 8601 text, or seconds since 1970."""
TimeIntervalLike: TypeAlias = Union[
    TimeInterval, TimeScalar, tuple[TimeScalar, TimeScalar], Iterable[TimeScalar], "xr.DataArray", "xr.Dataset"
]
"""Every form in which a time may be passed to `load`."""
