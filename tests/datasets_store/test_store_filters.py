"""Filters give what Python and pandas would give, with three-valued logic, and refuse what cannot be compared."""

import math
import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_sample import EVERY_TYPE, rows_of, sample

from tilebox_celery.datasets.arrow_types import table_schema
from tilebox_celery.datasets.filters import Expression, field
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.datasets.store.pages import join
from tilebox_celery.datasets.store.records import CollectionRecord
from tilebox_celery.datasets.store.store import DatasetStore
from tilebox_celery.errors import ArgumentError

SCHEMA = Schema(
    DatasetKind.TEMPORAL,
    (
        Field("cloud", FieldType.DOUBLE),
        Field("ratio", FieldType.FLOAT),
        Field("orbit", FieldType.INT32),
        Field("size", FieldType.INT64),
        Field("key", FieldType.UINT64),
        Field("name", FieldType.STRING),
        Field("level", FieldType.ENUM),
        Field("online", FieldType.BOOL),
        Field("seen", FieldType.TIMESTAMP),
        Field("took", FieldType.DURATION),
        Field("product", FieldType.UUID),
        Field("hidden", FieldType.INT32, queryable=False),
    ),
)
NAN = math.nan
MOMENTS = [1_600_000_000_000_000_000 + step for step in (0, 1, 10**9)]
UUIDS = [UUID(int=1), UUID(int=2**127), UUID(int=2**128 - 1)]
# What is stored, and what it is compared with: the same values and others around them.
STORED: dict[str, list[Any]] = {
    "cloud": [0.1, 20.0, -1e300, float("inf"), float("nan")],
    "ratio": [np.float32(0.1).item(), 1.5],
    "orbit": [-(2**31), -1, 0, 7, 2**31 - 1],
    "size": [-(2**63), 0, 2**53 + 1, 2**63 - 1],
    "key": [0, 1, 2**63, 2**64 - 1],
    "name": ["", "a", "B", "é", "a%", "\U0001f6f0", "ﬀ"],
    "level": ["L1", "L2"],
    "online": [True, False],
    "seen": MOMENTS,
    "took": [-1, 0, 10**15],
    "product": [each.bytes for each in UUIDS],
    "hidden": [1],
}
NUMBERS = [0, 1, -1, 7, 7.0, 6.5, -0.5, 2**31, 2**63, 2**64, -(2**63) - 1, 2**53, 2.0**53, 1e30, -1e30, float("inf")]
COMPARED: dict[str, list[Any]] = {
    "cloud": [0.1, 20, 20.5, -1e300, float("inf")],
    "ratio": [0.1, 1.5, 2, 1e300],
    "orbit": [*NUMBERS, np.int64(7)],
    "size": [*NUMBERS, 2**53 + 1, 2**63 - 1],
    "key": [*NUMBERS, 2**64 - 1],
    "name": STORED["name"],
    "level": ["L1", "L2", "L9"],
    "online": [True, False],
    "seen": [pd.Timestamp(each) for each in MOMENTS] + [datetime(2020, 9, 13, tzinfo=UTC), np.datetime64("2020-09-14")],
    "took": [timedelta(0), timedelta(days=1), np.timedelta64(-1, "ns"), timedelta(days=-1)],
    "product": UUIDS,
}
ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
Truth = Callable[[dict[str, Any]], bool | None]


def datapoints() -> pa.Table:
    """Return rows that have every stored value, and absent ones."""
    wanted = table_schema(SCHEMA)
    count = 40
    columns: dict[str, list[Any]] = {
        "time": list(range(count)),
        "id": [place.to_bytes(6, "big") + bytes(10) for place in range(count)],
        "ingestion_time": [0] * count,
    }
    for place, (name, values) in enumerate(STORED.items()):
        chance = np.random.default_rng(place)
        picked = [*values, *(values[chance.integers(len(values))] for _ in range(count))][: count - 5] + [None] * 5
        columns[name] = [picked[each] for each in chance.permutation(count)]
    return pa.table({name: pa.array(columns[name], wanted.field(name).type) for name in wanted.names})


TABLE = datapoints()
ROWS = rows_of(TABLE)


def python_value(name: str, value: Any) -> Any:
    """Return a stored value as Python compares it; None for what counts as absent."""
    if value is None or value != value:  # only NaN differs from itself
        return None
    return UUID(bytes=value) if name == "product" else value


def constant(name: str, value: Any) -> Any:
    """Return a constant as the oracle compares it."""
    if name == "seen":
        moment = pd.Timestamp(value)
        return (moment.tz_localize("UTC") if moment.tzinfo is None else moment).as_unit("ns").value
    if name == "took":
        return pd.Timedelta(value).as_unit("ns").value
    if name == "ratio":
        with np.errstate(over="ignore"):
            return float(np.float32(value))
    return value


def compared(name: str, operator: str, value: Any) -> tuple[Expression, Truth]:
    """Return a comparison and its oracle."""
    expression: Expression = {
        "==": lambda: field(name) == value,
        "!=": lambda: field(name) != value,
        "<": lambda: field(name) < value,
        "<=": lambda: field(name) <= value,
        ">": lambda: field(name) > value,
        ">=": lambda: field(name) >= value,
    }[operator]()
    wanted = constant(name, value)

    def truth(row: dict[str, Any]) -> bool | None:
        held = python_value(name, row[name])
        return None if held is None else bool(ORDER[operator](held, wanted))  # numpy has a bool of its own

    return expression, truth


def present(name: str, is_present: bool) -> tuple[Expression, Truth]:
    """Return a test for presence and its oracle."""
    expression = field(name).is_not_null() if is_present else field(name).is_null()
    return expression, lambda row: (python_value(name, row[name]) is not None) == is_present


def both(left: tuple[Expression, Truth], right: tuple[Expression, Truth], is_and: bool) -> tuple[Expression, Truth]:
    """Combine two conditions by Kleene's tables."""

    def truth(row: dict[str, Any]) -> bool | None:
        one, two = left[1](row), right[1](row)
        if (not is_and) in (one, two):
            return not is_and
        return None if one is None or two is None else is_and

    return (left[0] & right[0] if is_and else left[0] | right[0]), truth


def negated(inner: tuple[Expression, Truth]) -> tuple[Expression, Truth]:
    """Return the opposite."""
    return ~inner[0], lambda row: None if inner[1](row) is None else not inner[1](row)


OPERATORS = {"online": ["==", "!="]}
LEAVES = st.one_of(
    st.sampled_from(sorted(COMPARED)).flatmap(
        lambda name: st.builds(
            compared,
            st.just(name),
            st.sampled_from(OPERATORS.get(name, list(ORDER))),
            st.sampled_from(COMPARED[name]),
        )
    ),
    st.builds(present, st.sampled_from(sorted(COMPARED)), st.booleans()),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.builds(both, inner, inner, st.booleans()), st.builds(negated, inner)),
    max_leaves=6,
)


def found(store: DatasetStore, collection: CollectionRecord, where: object) -> list[int]:
    """Return the milliseconds of what a filter finds."""
    tables = [page.table for page in store.load([collection], 0, 10**6, where=where, skip_data=True)]
    return join(tables).column("time").cast(pa.int64()).to_pylist() if tables else []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(condition=FILTERS)
@pytest.mark.clause("d1.7-4")
def test_filters_find_what_python_finds(store: DatasetStore, condition: tuple[Expression, Truth]) -> None:
    """Random filters over every queryable type select exactly the rows whose condition is true."""
    collection = store.create_collection(store.create_or_update_dataset("a.filters", SCHEMA), "one", exists_ok=True)
    store.ingest(collection, TABLE)
    expression, truth = condition

    assert found(store, collection, expression) == [place for place, row in enumerate(ROWS) if truth(row) is True]


@pytest.mark.clause("d1.7-4")
def test_what_is_unknown_is_found_neither_way(store: DatasetStore) -> None:
    """A filter and its opposite together leave out the rows without the field, as pandas does with NA."""
    collection = store.create_collection(store.create_or_update_dataset("a.filters", SCHEMA), "one")
    store.ingest(collection, TABLE)
    frame = pd.DataFrame({"orbit": pd.array([row["orbit"] for row in ROWS], dtype="Int64")})

    less = found(store, collection, field("orbit") < 7)
    more = found(store, collection, ~(field("orbit") < 7))

    assert less == frame.index[(frame["orbit"] < 7).fillna(False)].tolist()
    assert more == frame.index[(~(frame["orbit"] < 7)).fillna(False)].tolist()
    assert sorted(less + more + found(store, collection, field("orbit").is_null())) == list(range(40))


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        (field("time") > 1, "The time is no field to filter by: say temporal_extent"),
        (field("nope") == 1, "no field 'nope' to filter by; the fields of this dataset are: geometry, one_string"),
        (field("many_int32") == 1, "The field 'many_int32' cannot stand in a filter: it is an array"),
        (field("one_int32") == "a", "'one_int32' is a int32, and cannot be compared with 'a' (str)"),
        (field("one_int32") == True, "cannot be compared with True"),  # noqa: E712  # it is the value
        (field("one_string") < 1, "'one_string' is a string, and cannot be compared with 1"),
        (field("one_bool") < True, "compare it with == or != only"),
        (field("one_double") == None, "use is_null()"),  # noqa: E711  # it is the value
        (field("one_double") < 10**400, "larger than any such number"),
        (field("one_double") < NAN, "cannot be compared with NaN"),
        (field("one_uuid") == "nope", "'one_uuid' is a uuid, and 'nope' is none"),
        (field("one_timestamp") == "nope", "'one_timestamp' is a timestamp, and 'nope' is none"),
        (field("one_timestamp") == datetime(3000, 1, 1), "from 1677 to 2262"),
        (field("geometry") == 1, "'geometry' is a geometry, and cannot be compared"),
        (field("one_string") == "a\0", "NUL character"),
        (field("one_string") == "\ud800", "half of a surrogate pair"),
        (field("one_timestamp") < "now", "'one_timestamp' is a timestamp, and 'now' is none"),
        (field("one_timestamp") < "2024Q1", "'one_timestamp' is a timestamp, and '2024Q1' is none"),
        (field("one_timestamp") < np.datetime64("NaT"), "use is_null()"),
        (field("one_timestamp") < np.datetime64(2**62, "s"), "from 1677 to 2262"),
        (field("one_duration") < np.timedelta64("NaT"), "use is_null()"),
        (field("one_duration") < timedelta.max, "292 years"),
        (field([]) == 1, "no field '[]' to filter by"),  # type: ignore[arg-type]  # on purpose
        (field("one_int32") == field("one_int64"), "can be compared with a value only"),
    ],
)
@pytest.mark.clause("d1.7-5")
def test_a_filter_that_does_not_fit_is_one_sentence(
    store: DatasetStore, collection: CollectionRecord, where: Expression, sentence: str
) -> None:
    """An unknown field, a field that is not queryable, and a wrong type are refused before anything is read."""
    with pytest.raises(ArgumentError) as error:
        store.load([collection], 0, 1, where=where)

    assert sentence in str(error.value)


@pytest.mark.clause("d1.7-5")
def test_a_field_can_be_kept_out_of_filters(store: DatasetStore) -> None:
    """What a dataset declares as not queryable cannot stand in a filter."""
    collection = store.create_collection(store.create_or_update_dataset("a.filters", SCHEMA), "one")

    with pytest.raises(ArgumentError, match="'hidden' cannot stand in a filter: its dataset declares it"):
        store.load([collection], 0, 1, where=field("hidden").is_null())


@pytest.mark.parametrize("is_and", [True, False])
def test_a_filter_may_have_any_number_of_parts(store: DatasetStore, is_and: bool) -> None:
    """Such as one for each of many names; Python's own limit of depth is none of it."""
    collection = store.create_collection(store.create_or_update_dataset("a.filters", SCHEMA), "one")
    store.ingest(collection, TABLE)
    parts = [(field("orbit") != number) if is_and else (field("orbit") == number) for number in range(5000)]
    where = reduce(operator.and_ if is_and else operator.or_, parts)

    wanted = [
        place
        for place, row in enumerate(ROWS)
        if row["orbit"] is not None and (row["orbit"] not in range(5000)) is is_and
    ]
    assert found(store, collection, where) == wanted
    assert str(where).count("orbit") == 5000


@pytest.mark.parametrize("where", ["cloud < 1", True, lambda row: True, field("one_int32")])
def test_a_filter_must_be_an_expression(store: DatasetStore, collection: CollectionRecord, where: object) -> None:
    """Anything else is a TypeError."""
    with pytest.raises(TypeError, match="must be an expression such as"):
        store.load([collection], 0, 1, where=where)


def test_python_words_cannot_combine_filters() -> None:
    """`and`, `or`, `not` and chains would silently drop a part, so they raise."""
    for combine in (
        lambda: (field("a") == 1) and (field("b") == 2),
        lambda: (field("a") == 1) or (field("b") == 2),
        lambda: not field("a").is_null(),
        lambda: 1 < field("a") < 3,
        lambda: bool(field("a")),
    ):
        with pytest.raises(TypeError):
            combine()
    with pytest.raises(TypeError):
        (field("a") == 1) & True  # type: ignore[operator]  # that is the point


def test_names_and_values_never_become_sql(store: DatasetStore, collection: CollectionRecord) -> None:
    """Quotes in a value find nothing and break nothing; fields named as system columns work."""
    table = sample(30)
    store.ingest(collection, table)

    assert found(store, collection, field("one_string") == "'; drop table tbd.rows_1; --") == []
    wanted = [row for row in rows_of(table) if row["xmin"] == 5.0]
    tables = [page.table for page in store.load([collection], 0, 2**42, where=field("xmin") == 5)]
    assert rows_of(join(tables)) == wanted
    assert wanted
    assert "xmin" in EVERY_TYPE.by_name
