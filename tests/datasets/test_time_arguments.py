"""Every form in which a time may be passed to load."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tilebox_celery.datasets.time_arguments import parse_instant, parse_time_argument
from tilebox_celery.datasets.time_interval import EPOCH, TimeInterval, milliseconds
from tilebox_celery.errors import ArgumentError

INSTANT = datetime(2024, 8, 1, 0, 0, 1, 362000, tzinfo=UTC)
MILLISECONDS = 1722470401362
TIMES = xr.DataArray(np.array(["2024-08-01", "2024-08-03", "2024-08-02"], dtype="datetime64[ns]"), dims="time")


@pytest.mark.parametrize(
    "value",
    [
        INSTANT,
        INSTANT.replace(tzinfo=None),
        INSTANT.astimezone(timezone(timedelta(hours=-7))),
        INSTANT.replace(microsecond=362999),
        "2024-08-01T00:00:01.362",
        "2024-08-01 00:00:01.362 UTC",
        "2024-08-01T00:00:01.362Z",
        "2024-08-01T02:00:01.362999+02:00",
        MILLISECONDS / 1000,
        np.float64(MILLISECONDS / 1000),
        np.datetime64("2024-08-01T00:00:01.362", "ns"),
        pd.Timestamp("2024-08-01T00:00:01.362000999"),
        pd.Timestamp("2024-08-01T00:00:01.362", tz="UTC"),
        xr.DataArray(np.datetime64("2024-08-01T00:00:01.362", "ns")),
    ],
)
@pytest.mark.clause("d1.3-1", "d1.3-7")
def test_a_scalar_is_its_millisecond(value: Any) -> None:
    """1.3: a datetime, a text or seconds since 1970 mean all points of that exact millisecond, [t, t]."""
    interval = parse_time_argument(value)

    assert str(interval) == "[2024-08-01T00:00:01.362 UTC, 2024-08-01T00:00:01.362 UTC]"
    assert milliseconds(interval) == (MILLISECONDS, MILLISECONDS + 1)


@pytest.mark.parametrize("value", [1722470400, np.int64(1722470400), np.int32(1722470400), 1722470400.0])
@pytest.mark.clause("d1.3-6")
def test_integers_are_seconds(value: Any) -> None:
    """1.3: a number is seconds since 1970, whichever its type, and no nanoseconds."""
    assert parse_instant(value) == datetime(2024, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize("value", ["2024", "2024-01", "2024-01-01", "20240101", date(2024, 1, 1)])
def test_short_texts_are_midnight(value: Any) -> None:
    """A year, a month or a day is its first instant in UTC."""
    assert parse_instant(value) == datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        ("2017-01-01", "2023-01-01"),
        (datetime(2017, 1, 1), datetime(2023, 1, 1, tzinfo=UTC)),
        (np.datetime64("2017-01-01"), np.datetime64("2023-01-01", "ns")),
        (1483228800, 1672531200),
        (pd.Timestamp("2017-01-01"), "2023-01-01T01:00+01:00"),
    ],
)
@pytest.mark.clause("d1.3-2")
def test_a_tuple_of_two_is_half_open(value: Any) -> None:
    """1.3: a 2-tuple of any scalars means [a, b), in UTC."""
    assert str(parse_time_argument(value)) == "[2017-01-01T00:00:00.000 UTC, 2023-01-01T00:00:00.000 UTC)"


@pytest.mark.clause("d1.3-3")
def test_a_time_interval_keeps_its_flags() -> None:
    """1.3: a TimeInterval is taken with its flags, and converted to UTC."""
    berlin = timezone(timedelta(hours=2))
    interval = TimeInterval(datetime(2024, 8, 1, 2, tzinfo=berlin), datetime(2024, 8, 2), True, True)

    assert str(parse_time_argument(interval)) == "(2024-08-01T00:00:00.000 UTC, 2024-08-02T00:00:00.000 UTC]"
    assert TimeInterval.parse(interval) == interval


@pytest.mark.parametrize(
    "value",
    [
        TIMES,
        xr.Dataset(coords={"time": TIMES}),
        TIMES.values,
        list(TIMES.values),
        (each for each in TIMES.values),
        tuple(TIMES.values),
        ["2024-08-01", "2024-08-02"],
        pd.DatetimeIndex(TIMES.values),
        pd.Series(TIMES.values, index=[7, 8, 9]),
        pd.Series(TIMES.values).dt.tz_localize("UTC"),
        {datetime(2024, 8, 1): "kept in order", datetime(2024, 8, 2): "of insertion"},
    ],
)
@pytest.mark.clause("d1.3-4")
def test_an_iterable_is_first_to_last(value: Any) -> None:
    """1.3: any other iterable, array or dataset means [first, last] as given, both inclusive; a list of two too."""
    assert str(parse_time_argument(value)) == "[2024-08-01T00:00:00.000 UTC, 2024-08-02T00:00:00.000 UTC]"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("yesterday", "The time 'yesterday' cannot be read: pass a datetime, an ISO 8601 text"),
        ("2024-13-01", "cannot be read"),
        ("", "cannot be read"),
        (None, "cannot be read"),
        (True, "cannot be read"),
        (float("nan"), "cannot be read"),
        (float("inf"), "cannot be read"),
        (1722470401362, "cannot be read: .* or seconds since 1970"),
        (np.datetime64("NaT"), "cannot be read"),
        (pd.NaT, "cannot be read"),
        (np.datetime64("20000-01-01"), "cannot be read"),
        (np.datetime64(2**62, "s"), "cannot be read"),
        (np.datetime64(-(2**62), "h"), "cannot be read"),
        (b"2024", "cannot be read"),
        ({"2024-01-01", "2024-02-01"}, "A set has no first and last time"),
        (("2024-01-01", None), "The time None cannot be read"),
        ([], "The list of times is empty"),
        (np.array([], dtype="datetime64[ns]"), "The list of times is empty"),
        (np.array([["2024"]], dtype="datetime64[ns]"), "Times come in one dimension, but these have 2"),
        (xr.Dataset(), "The dataset has no 'time'"),
        (("2024-01-02", "2024-01-01"), "ends at 2024-01-01.* before its start at 2024-01-02"),
        (["2024-01-02", "2024-01-01"], "before its start"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-2))), "cannot be read"),
    ],
)
def test_what_is_no_time_is_refused(value: Any, reason: str) -> None:
    """A bad time, an empty list and an end before the start are refused in one sentence."""
    with pytest.raises(ArgumentError, match=reason):
        parse_time_argument(value)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_forms_of_one_instant_agree(whole: int) -> None:
    """One instant in each form of a scalar means the same millisecond."""
    instant = EPOCH + timedelta(milliseconds=whole)

    for form in (instant, instant.replace(tzinfo=None), instant.isoformat(), np.datetime64(whole, "ms")):
        assert milliseconds(parse_time_argument(form)) == (whole, whole + 1)
