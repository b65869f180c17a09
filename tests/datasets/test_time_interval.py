"""Time intervals print, compare and convert as the documents show."""

import importlib
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilebox_celery.datasets.time_interval import EPOCH, TimeInterval, TimeIntervalLike, milliseconds
from tilebox_celery.errors import ArgumentError

START, END = datetime(2017, 1, 1), datetime(2023, 1, 1)
LAST = datetime(2022, 12, 31, 23, 59, 59, 999999)
INSTANTS = st.datetimes(
    datetime(1, 1, 3), datetime(9999, 12, 28), timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=5.5))])
)


def utc(instant: datetime) -> datetime:
    """Read a naive datetime as UTC."""
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


@st.composite
def intervals(draw: st.DrawFn) -> TimeInterval:
    """Any interval, with any ends."""
    start, end = sorted([draw(INSTANTS), draw(INSTANTS)], key=utc)
    return TimeInterval(start, end, draw(st.booleans()), draw(st.booleans()))


@pytest.mark.parametrize(
    ("interval", "printed"),
    [
        (TimeInterval(START, END), "[2017-01-01T00:00:00.000 UTC, 2023-01-01T00:00:00.000 UTC)"),
        (TimeInterval(START, LAST, end_inclusive=True), "[2017-01-01T00:00:00.000 UTC, 2022-12-31T23:59:59.999 UTC]"),
        (
            TimeInterval(START, LAST, end_inclusive=True).to_half_open(),
            "[2017-01-01T00:00:00.000 UTC, 2023-01-01T00:00:00.000 UTC)",
        ),
        (
            TimeInterval(START, END, start_exclusive=True),
            "(2017-01-01T00:00:00.000 UTC, 2023-01-01T00:00:00.000 UTC)",
        ),
        (TimeInterval(datetime(33, 1, 1), END), "[0033-01-01T00:00:00.000 UTC, 2023-01-01T00:00:00.000 UTC)"),
        (TimeInterval(START, START), "<empty>"),
    ],
)
@pytest.mark.clause("d1.2-5", "d1.2-7")
def test_printed_forms(interval: TimeInterval, printed: str) -> None:
    """1.2: an interval prints its ends in milliseconds of UTC, and its brackets say which belong to it."""
    assert str(interval) == printed
    assert repr(interval) == printed


@pytest.mark.clause("1.11-7")
@pytest.mark.clause("d1.2-6")
def test_equality_is_that_of_the_half_open_forms() -> None:
    """1.2: intervals are equal by their half-open forms at one microsecond, and not at one millisecond."""
    half_open, closed = TimeInterval(START, END), TimeInterval(START, LAST, end_inclusive=True)

    assert half_open == closed
    assert hash(half_open) == hash(closed)
    assert half_open != TimeInterval(START, LAST.replace(microsecond=999000), end_inclusive=True)
    assert TimeInterval(START, END, start_exclusive=True) == TimeInterval(START + timedelta(microseconds=1), END)
    assert half_open != "2017"


@pytest.mark.clause("d1.2-8")
def test_it_is_frozen() -> None:
    """1.2: an interval cannot be changed."""
    with pytest.raises(FrozenInstanceError):
        TimeInterval(START, END).start = END  # type: ignore[misc]


@pytest.mark.clause("d1.2-8")
def test_naive_datetimes_are_utc() -> None:
    """1.2: a datetime without a timezone is in UTC, beside aware ones too."""
    berlin = timezone(timedelta(hours=2))

    assert TimeInterval(START, END).start.tzinfo is UTC
    assert TimeInterval(START, datetime(2023, 1, 1, 2, tzinfo=berlin)) == TimeInterval(START, END)


@pytest.mark.parametrize("value", ["2017-01-01", 1483228800, None, pd.NaT])
@pytest.mark.clause("d1.2-8")
def test_only_datetimes_are_ends(value: Any) -> None:
    """1.2: a start or an end that is no datetime is a TypeError, which names the way that reads other forms."""
    with pytest.raises(TypeError, match=r"start of a time interval is a datetime, but got .*TimeInterval\.parse"):
        TimeInterval(value, END)
    with pytest.raises(TypeError, match="end of a time interval"):
        TimeInterval(START, value)


def test_the_end_is_not_before_the_start() -> None:
    """An interval that ends before it starts is refused in one sentence."""
    with pytest.raises(ArgumentError, match=r"ends at 2017-01-01.* before its start at 2023-01-01.*: swap the two\.$"):
        TimeInterval(END, START)


def test_timestamps_of_pandas_are_datetimes() -> None:
    """A Timestamp is an end as well, to the microsecond."""
    interval = TimeInterval(pd.Timestamp("2017-01-01T00:00:00.000000001"), pd.Timestamp(END, tz="UTC"))

    assert interval == TimeInterval(START, END)
    assert type(interval.start) is datetime


def test_the_end_of_the_calendar() -> None:
    """An interval may reach the last datetime there is; only its half-open form cannot be written."""
    ever = TimeInterval(datetime.min, datetime.max, end_inclusive=True)

    assert ever == TimeInterval(datetime.min, datetime.max, end_inclusive=True)
    assert milliseconds(ever)[1] == 253402300800000
    with pytest.raises(ArgumentError, match="let it end earlier"):
        ever.to_half_open()


@given(intervals())
def test_forms_of_one_interval(interval: TimeInterval) -> None:
    """The half-open form and every timezone hold the same instants."""
    half_open = interval.to_half_open()

    assert not half_open.start_exclusive
    assert not half_open.end_inclusive
    if str(interval) != "<empty>":
        assert interval == half_open == interval.astimezone(timezone(timedelta(hours=-3)))
        assert hash(interval) == hash(half_open)
    assert milliseconds(interval) == milliseconds(half_open)


@given(intervals(), st.integers(-2, 2), st.booleans())
def test_milliseconds_hold_what_the_interval_holds(interval: TimeInterval, offset: int, at_end: bool) -> None:
    """1.3: a whole millisecond lies within the bounds exactly if it lies in the interval."""
    near = interval.end if at_end else interval.start
    whole = (near - EPOCH) // timedelta(milliseconds=1) + offset
    instant = EPOCH + timedelta(milliseconds=whole)

    is_inside = (interval.start < instant or (interval.start == instant and not interval.start_exclusive)) and (
        instant < interval.end or (instant == interval.end and interval.end_inclusive)
    )

    first, end = milliseconds(interval)
    assert (first <= whole < end) == is_inside


@pytest.mark.parametrize("module", ["datasets.data", "datasets.query", "clients.core.data"])
@pytest.mark.clause("d1.1-14")
def test_documented_imports(module: str) -> None:
    """1.1: TimeInterval and TimeIntervalLike can be imported from each place that the documents name."""
    imported = importlib.import_module(f"tilebox_celery.{module}")

    assert imported.TimeInterval is TimeInterval
    assert imported.TimeIntervalLike is TimeIntervalLike
