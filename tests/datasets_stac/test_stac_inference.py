"""A schema is inferred from items, and takes each of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilebox_celery.datasets import stac
from tilebox_celery.datasets.schema import DatasetKind, FieldType
from tilebox_celery.errors import ArgumentError


def item_of(properties: dict[str, Any]) -> dict[str, Any]:
    """Return a small item."""
    return {"id": "a", "properties": {"datetime": "2024-08-01T00:26:11Z", **properties}}


def types_of(*all_properties: dict[str, Any]) -> dict[str, tuple[FieldType, bool]]:
    """Return the types that were inferred beside those that all items have."""
    schema = stac.infer_schema(item_of(properties) for properties in all_properties)
    names = {"stac_id", "granule_name", "stac_collection", "geometry", "assets"}
    return {field.name: (field.type, field.is_array) for field in schema.fields if field.name not in names}


def test_real_items_of_several_missions_share_a_schema(
    sentinel1_items: list[dict[str, Any]], sentinel2_items: list[dict[str, Any]], landsat_items: list[dict[str, Any]]
) -> None:
    """Fields that an item lacks are null; prefixes stay only where two properties would have one name."""
    items = [*sentinel1_items, *sentinel2_items, *landsat_items]

    schema = stac.infer_schema(items)

    assert schema.kind is DatasetKind.SPATIOTEMPORAL
    assert stac.items_to_table(items, schema).num_rows == 21
    assert {"cloud_cover", "proj_epsg", "mgrs_tile", "s2_product_type", "sar_product_type"} <= set(schema.by_name)
    assert all(field.description for field in schema.fields)


def test_a_type_is_as_wide_as_the_values() -> None:
    """Numbers widen to double, numbers beside text to text, lists of one kind are arrays, anything else is json."""
    assert types_of({"a": 1, "b": 1, "c": [1], "d": [1, "x"], "e": {"f": 1}, "g": None, "h": []}) == {
        "a": (FieldType.INT64, False),
        "b": (FieldType.INT64, False),
        "c": (FieldType.INT64, True),
        "d": (FieldType.JSON, False),
        "e": (FieldType.JSON, False),
        "h": (FieldType.STRING, True),
    }
    assert types_of({"a": 1, "b": 1, "c": [1]}, {"a": 1.5, "b": "x", "c": 1}, {"a": None}) == {
        "a": (FieldType.DOUBLE, False),
        "b": (FieldType.STRING, False),
        "c": (FieldType.JSON, False),
    }
    assert types_of({"a": "2024-08-01T00:26:11Z", "b": True}, {"a": "no time", "b": 1}) == {
        "a": (FieldType.STRING, False),
        "b": (FieldType.JSON, False),
    }


def test_names_that_are_taken_are_changed_and_still_found() -> None:
    """A property that is called as what every datapoint has gets another name, under which its value is kept."""
    item = item_of({"id": 1, "x:time": 2, "geometry": "g", "9:9th": 3, "A B": 4})

    schema = stac.infer_schema([item])

    row = stac.items_to_table([item], schema).to_pylist()[0]
    assert {key: row[key] for key in ("id_", "x_time", "geometry_", "x_9th", "a_b")} == {
        "id_": 1,
        "x_time": 2,
        "geometry_": "g",
        "x_9th": 3,
        "a_b": 4,
    }


def test_the_code_of_a_projection_becomes_its_number() -> None:
    """Items of today's projection extension have the same field as older ones."""
    items = [item_of({"proj:code": "EPSG:32735"}), item_of({"proj:code": None})]

    table = stac.items_to_table(items, stac.infer_schema(items))

    assert table["proj_epsg"].to_pylist() == [32735, None]
    assert table["proj_code"].to_pylist() == ["EPSG:32735", None]


def test_nothing_to_infer_from_is_refused() -> None:
    """No item at all, or something else, gets one sentence."""
    with pytest.raises(ArgumentError, match="holds no STAC item, so that no schema can be inferred"):
        stac.infer_schema([])
    with pytest.raises(ArgumentError, match="Item 0 is '5', which is no STAC item"):
        stac.infer_schema([5])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text('aZ é"\\'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:", min_size=1), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.text("ab:_9", min_size=1, max_size=4), JSON, max_size=4), min_size=1, max_size=4))
def test_an_inferred_schema_takes_all_its_items(all_properties: list[dict[str, Any]]) -> None:
    """Whatever JSON the properties hold, the table has a row for each item."""
    items = [item_of(properties) for properties in all_properties]

    table = stac.items_to_table(items, stac.infer_schema(items))

    assert table.num_rows == len(items)
