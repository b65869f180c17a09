"""Ids of datapoints follow from what they hold, and sort by time."""

from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest

from tests.datasets.datapoint_tables import EVERY_TYPE
from tilebox_celery.datasets.arrow_types import arrow_type
from tilebox_celery.datasets.canonical_rows import canonical_rows
from tilebox_celery.datasets.identifiers import datapoint_ids, milliseconds_of, parse_datapoint_id
from tilebox_celery.errors import ArgumentError

TIME = pa.array([1722470401362, 1722470401362, 1209945600000], pa.timestamp("ms"))


def ids_of(collection_key: bytes = b"S1A", **columns: object) -> list[UUID]:
    """Return the ids of three rows with these columns."""
    table = pa.table({"time": TIME, **columns})
    return [UUID(bytes=each) for each in datapoint_ids(table, collection_key).to_pylist()]


@pytest.mark.clause("d1.5-16")
def test_an_id_begins_with_its_milliseconds() -> None:
    """1.5: the first 48 bits of an id are milliseconds since 1970, so that ids sort by time."""
    first, _, earlier = ids_of(orbit=pa.array([1, 2, 3]))

    assert str(first).startswith("01910b3c-8552-")
    assert milliseconds_of(first) == 1722470401362
    assert earlier < first


@pytest.mark.clause("d1.5-17")
def test_ids_follow_from_the_data() -> None:
    """1.5: the same values in the same collection have the same id, other values or another collection another one."""
    ids = ids_of(orbit=pa.array([1, 2, 1]), name=pa.array(["a", "a", "a"]))

    assert ids == ids_of(name=pa.array(["a", "a", "a"]).dictionary_encode(), orbit=pa.chunked_array([[1], [2, 1]]))
    assert len({each.bytes[6:] for each in ids}) == 2
    assert set(ids).isdisjoint(ids_of(b"S1B", orbit=pa.array([1, 2, 1]), name=pa.array(["a", "a", "a"])))


def test_an_added_field_keeps_the_ids() -> None:
    """A field that nobody has filled in yet changes no id."""
    added = {field.name: pa.nulls(3, arrow_type(field)) for field in EVERY_TYPE.fields}

    assert ids_of(orbit=pa.array([1, 2, 3])) == ids_of(orbit=pa.array([1, 2, 3]), **added)


@pytest.mark.parametrize(
    ("absent", "alike"),
    [
        (pa.nulls(3, pa.int64()), pa.array([0, 0, 0])),
        (pa.nulls(3, pa.bool_()), pa.array([False] * 3)),
        (pa.nulls(3, pa.float32()), pa.array([np.nan] * 3, pa.float32())),
        (pa.nulls(3, pa.list_(pa.float64(), 2)), pa.array([[np.nan, np.nan]] * 3, pa.list_(pa.float64(), 2))),
        (pa.nulls(3, pa.list_(pa.int32())), pa.array([[0, 0], [], [None]], pa.list_(pa.int32()))),
        (pa.array([[1], [2, 0, 2], None]), pa.array([[1, 0, 0], [2, 0, 2], [0, 0, 0]])),
    ],
)
def test_what_loads_alike_has_the_same_id(absent: pa.Array, alike: pa.Array) -> None:
    """1.5: a value that loads as an absent one does changes no id, so that a load result can be ingested again."""
    assert ids_of(value=absent) == ids_of(value=alike)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab", "", "x"], ["a", "b", "y"]),
        ([["a", "b"], [], ["x"]], [["ab"], ["c"], ["x", ""]]),
        ([[1, None, 2], [1], [3]], [[1, 2], [1, 1], [2]]),
        ([1.0, 2.0, 3.0], [-1.0, 2.5, 3.1]),
    ],
)
def test_what_loads_otherwise_has_another_id(one: list[object], other: list[object]) -> None:
    """No two different rows are written alike: neither do texts and lists run into each other."""
    first, second = pa.array(one), pa.array(other)

    assert set(ids_of(value=first)).isdisjoint(ids_of(value=second))
    swapped = {"left": pa.array(["a", None, "a"]), "right": pa.array([None, "a", "b"])}
    assert len(set(next(canonical_rows(pa.table(swapped))).to_pylist())) == 3


def test_an_absent_list_has_no_elements() -> None:
    """What lies under an absent list, as Arrow allows, changes no id."""
    hidden = pa.ListArray.from_arrays([0, 1, 2, 3], pa.array([1, 2, 3]), mask=pa.array([False, True, False]))

    assert ids_of(value=hidden) == ids_of(value=pa.array([[1], None, [3]]))


def test_slices_and_empty_tables_are_as_good_as_any() -> None:
    """How a table is cut into chunks has no influence."""
    whole = pa.table(
        {
            "time": TIME,
            "position": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float64(), 2)),
            "lists": pa.array([["a"], ["b", "c"], None]),
            "flag": pa.array([True, False, True]),
            "seen": pa.array([1, 2, 3], pa.timestamp("ns")),
            "key": pa.array([bytes([row]) * 16 for row in range(3)], pa.binary(16)),
        }
    )

    ids = datapoint_ids(whole, b"x").to_pylist()

    assert [datapoint_ids(whole.slice(row, 1), b"x")[0].as_py() for row in range(3)] == ids
    assert datapoint_ids(pa.concat_tables([whole.slice(0, 1), whole.slice(1)]), b"x").to_pylist() == ids
    assert len(datapoint_ids(whole.slice(3), b"x")) == 0
    assert len(set(datapoint_ids(whole.select(["time"]), b"x").to_pylist())) == 2


@pytest.mark.parametrize("milliseconds", [-1, 1 << 48])
@pytest.mark.clause("d1.5-18")
def test_a_time_that_no_id_can_hold_is_refused(milliseconds: int) -> None:
    """A time before 1970 or beyond 48 bits is refused with its row."""
    table = pa.table({"time": pa.array([0, milliseconds], pa.timestamp("ms"))})

    with pytest.raises(ArgumentError, match=r"^Row 1, field 'time': .* from 1970 to 10889\.$"):
        datapoint_ids(table, b"x")


@pytest.mark.parametrize("value", ["12", "not-a-uuid", None, 7, b"short", ["a"]])
def test_a_malformed_id_is_refused(value: object) -> None:
    """1.1: an id that is no UUID is a ValueError that shows it."""
    with pytest.raises(ValueError, match=r"^Invalid datapoint id: .* is not a valid UUID$"):
        parse_datapoint_id(value)


def test_an_id_is_read_from_each_form() -> None:
    """An id may be a UUID, a text, or a cell of a loaded dataset."""
    text = "01910b3c-8552-7671-3345-b902cc0813f3"

    assert {parse_datapoint_id(each) for each in (text, UUID(text), np.array(text), np.str_(text))} == {UUID(text)}
