"""Items become the rows of a schema, whole or not at all."""

import copy
import gc
import json
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
import shapely

from tilebox_celery.datasets import stac
from tilebox_celery.datasets.arrow_types import table_schema
from tilebox_celery.datasets.incoming import to_table
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.errors import ArgumentError


def schema_of(*fields: Field) -> Schema:
    """Return a schema without a geometry."""
    return Schema(DatasetKind.TEMPORAL, fields)


def item_with(**properties: Any) -> dict[str, Any]:
    """Return a small item."""
    when = {"datetime": "2024-08-01T00:26:11.123456Z"}
    return {"type": "Feature", "id": "a", "geometry": None, "assets": {}, "properties": {**when, **properties}}


def test_id_product_name_and_every_asset_are_kept(
    sentinel2_items: list[dict[str, Any]], landsat_items: list[dict[str, Any]], sentinel1_items: list[dict[str, Any]]
) -> None:
    """The item's id, its product's name and each asset with href, bands, nodata and projection come back unchanged."""
    for items in (sentinel2_items, landsat_items, sentinel1_items):
        table = stac.items_to_table(items, stac.infer_schema(items))

        assert table["stac_id"].to_pylist() == [item["id"] for item in items]
        assert [json.loads(text) for text in table["assets"].to_pylist()] == [item["assets"] for item in items]
        assert table["proj_epsg"].to_pylist() == [item["properties"]["proj:epsg"] for item in items]
        for name, item in zip(table["granule_name"].to_pylist(), items, strict=True):
            assert f"/{name}/" in next(iter(item["assets"].values()))["href"]


def test_all_properties_of_real_items_are_kept(sentinel1_items: list[dict[str, Any]]) -> None:
    """A schema that was inferred has the value of each property of each item."""
    schema = stac.infer_schema(sentinel1_items)
    table = stac.items_to_table(sentinel1_items, schema)

    assert table.schema == table_schema(schema, with_ids=False)
    row, properties = table.to_pylist()[0], sentinel1_items[0]["properties"]
    assert row["polarizations"] == properties["sar:polarizations"]
    assert row["proj_transform"] == properties["proj:transform"]
    assert row["slice_number"] == properties["s1:slice_number"]
    assert row["start_datetime"].isoformat() == "2024-04-19T04:59:04.220006"
    assert len(schema.fields) == len(properties) - 1 + 5


def test_geometries_are_those_of_the_items(sentinel2_items: list[dict[str, Any]]) -> None:
    """A footprint is the same polygon, as WKB."""
    table = stac.items_to_table(sentinel2_items, Schema(DatasetKind.SPATIOTEMPORAL))

    for wkb, item in zip(table["geometry"].to_pylist(), sentinel2_items, strict=True):
        assert shapely.from_wkb(wkb) == shapely.geometry.shape(item["geometry"])


def test_time_is_the_millisecond_that_has_begun() -> None:
    """Fractions are cut, also before 1970; zones are converted; start_datetime stands in; no zone means UTC."""
    times = [
        {"datetime": "2024-08-01T02:26:11.123999+02:00"},
        {"datetime": None, "start_datetime": "2024-08-01 00:26:11"},
        {"datetime": "1969-12-31T23:59:59.9995Z"},
        {"datetime": "1500-01-01T00:00:00.123456789Z"},
        {"datetime": datetime(2024, 8, 1, 0, 26, 11)},
    ]
    items = [{**item_with(), "properties": properties} for properties in times]

    expected = [
        datetime(2024, 8, 1, 0, 26, 11, 123000),
        datetime(2024, 8, 1, 0, 26, 11),
        datetime(1969, 12, 31, 23, 59, 59, 999000),
        datetime(1500, 1, 1, 0, 0, 0, 123000),
        datetime(2024, 8, 1, 0, 26, 11),
    ]

    assert stac.items_to_table(items, schema_of())["time"].to_pylist() == expected
    for item, time in zip(items, expected, strict=True):  # a chunk of usual times alone is read in another way
        assert stac.items_to_table([item], schema_of())["time"].to_pylist() == [time]


def test_a_field_is_found_with_or_without_the_prefix() -> None:
    """The exact name wins, then the usual extensions; an item that lacks one property is filled by the next."""
    items = [
        item_with(**{"eo:cloud_cover": 1.0, "x:cloud_cover": 2.0}),
        item_with(**{"x:cloud_cover": 2.0}),
        item_with(**{"cloud_cover": 3, "eo:cloud_cover": 1.0}),
        item_with(),
    ]

    table = stac.items_to_table(items, schema_of(Field("cloud_cover", FieldType.DOUBLE)))

    assert table["cloud_cover"].to_pylist() == [1.0, 2.0, 3.0, None]


def test_properties_without_a_field_go_to_the_field_properties() -> None:
    """A json field of that name takes what no other field takes."""
    schema = schema_of(Field("cloud_cover", FieldType.DOUBLE), Field("properties", FieldType.JSON))

    table = stac.items_to_table([item_with(**{"eo:cloud_cover": 1.0, "b": 2, "a": [1]})], schema)

    assert table["properties"].to_pylist() == ['{"a":[1],"b":2}']


def test_json_is_the_same_text_for_equal_values() -> None:
    """The order of keys in a file does not change the text, of which ids are made."""
    first, second = item_with(), item_with()
    first["assets"], second["assets"] = {"a": {"x": 1, "y": 2}, "b": {}}, {"b": {}, "a": {"y": 2, "x": 1}}

    assets = stac.items_to_table([first, second], schema_of(Field("assets", FieldType.JSON)))["assets"]

    assert assets[0] == assets[1]


def test_every_type_of_field_is_read() -> None:
    """A value of each type, an array, and null where the item says nothing."""
    fields = {
        FieldType.STRING: ("x", "x"),
        FieldType.ENUM: ("x", "x"),
        FieldType.BYTES: ("eA==", b"x"),
        FieldType.BOOL: (True, True),
        FieldType.INT32: ("090", 90),
        FieldType.INT64: (5.0, 5),
        FieldType.UINT64: (2**64 - 1, 2**64 - 1),
        FieldType.FLOAT: (0.5, 0.5),
        FieldType.DOUBLE: ("2.5", 2.5),
        FieldType.UUID: ("01910b3c-8552-4671-8345-b902cc0813f3", bytes.fromhex("01910b3c855246718345b902cc0813f3")),
        FieldType.GEOMETRY: ({"type": "Point", "coordinates": [1, 2]}, shapely.to_wkb(shapely.Point(1, 2))),
        FieldType.LATLON: ([1, 2], [1.0, 2.0]),
        FieldType.LATLONALT: ([1, 2, 3], [1.0, 2.0, 3.0]),
        FieldType.VEC3: ([1, 2, 3], [1.0, 2.0, 3.0]),
        FieldType.QUATERNION: ([1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0]),
        FieldType.JSON: ({"b": 1, "a": None}, '{"a":null,"b":1}'),
    }
    schema = schema_of(
        *(Field(f"f_{field_type}", field_type) for field_type in fields),
        Field("f_list", FieldType.STRING, is_array=True),
    )
    values = {f"f_{field_type}": value for field_type, (value, _) in fields.items()}

    table = stac.items_to_table([item_with(**values, f_list=["a", None]), item_with()], schema)

    full, empty = table.select(table.column_names[1:]).to_pylist()
    assert full == {f"f_{field_type}": value for field_type, (_, value) in fields.items()} | {"f_list": ["a", None]}
    assert set(empty.values()) == {None}


def test_times_and_durations_keep_their_nanoseconds() -> None:
    """A timestamp field is exact to the nanosecond, a duration may be ISO 8601 or seconds."""
    schema = schema_of(Field("at", FieldType.TIMESTAMP), Field("lasts", FieldType.DURATION))
    items = [item_with(at="2024-08-01T00:26:11.123456789Z", lasts="-PT1.5S"), item_with(at="2024-08-01", lasts=2.25)]

    table = stac.items_to_table(items, schema)

    assert table["at"].cast(pa.int64()).to_pylist() == [1722471971123456789, 1722470400000000000]
    assert table["lasts"].cast(pa.int64()).to_pylist() == [-1500000000, 2250000000]


def test_the_center_of_a_footprint_across_the_antimeridian_lies_on_it() -> None:
    """Two halves at both ends of the map have their middle at 180 degrees, not at 0."""
    halves = shapely.MultiPolygon([shapely.box(178, 0, 180, 2), shapely.box(-180, 0, -178, 2)])
    items = [{**item_with(), "geometry": json.loads(shapely.to_geojson(halves))}, item_with()]

    table = stac.items_to_table(items, schema_of(Field("center", FieldType.LATLON)))

    assert table["center"].to_pylist() == [[1.0, 180.0], None]


BAD = [
    ({"id": None}, r"Item 7 \(None\) has no id, which must be text"),
    ({"type": "Collection"}, r"Item 7 \('a'\) has the type 'Collection'; a STAC item is a Feature"),
    ({"properties": None}, r"Item 7 \('a'\) has no properties, which must be an object with at least 'datetime'"),
    ({"assets": [1]}, r"Item 7 \('a'\) has assets that are no object"),
    ({"datetime": None}, r"Item 7 \('a'\): property 'datetime' is missing, and so is 'start_datetime'; correct"),
    ({"datetime": "yesterday"}, r"Item 7 \('a'\): property 'datetime' is 'yesterday', which is no time such as 2024"),
    (
        {"datetime": "2024-02-30T00:00:00Z"},
        r"Item 7 \('a'\): property 'datetime' is '2024-02-30.*which is no time: day",
    ),
    ({"datetime": "2262-04-12T00:00:00Z"}, r"Item 7 \('a'\): property 'datetime' is .*, which lies after 2262-04-11"),
    ({"datetime": "9999-12-31T00:00:00Z"}, r"Item 7 \('a'\): property 'datetime' is .*, which lies after 2262-04-11"),
    ({"eo:cloud_cover": "high"}, r"Item 7 \('a'\): property 'eo:cloud_cover' is 'high', which is no number; correct"),
    ({"eo:cloud_cover": True}, r"Item 7 \('a'\): property 'eo:cloud_cover' is True, which is no number"),
    ({"orbit": 2**31}, r"property 'orbit' is 2147483648, which is not between -2147483648 and 2147483647"),
    ({"orbit": 1.5}, r"property 'orbit' is 1.5, which is no whole number"),
    ({"online": "yes"}, r"property 'online' is 'yes', which is neither true nor false"),
    ({"tags": "a"}, r"property 'tags' is 'a', which is no list"),
    ({"tags": ["a", {}]}, r"property 'tags' has an element that is {}, which is no text"),
    ({"seen": "2500-01-01T00:00:00Z"}, r"property 'seen' is '2500-01-01T00:00:00Z', which is out of range"),
    ({"extra": ["a\0"]}, r"property 'extra' has a text with a NUL character"),
    ({"name": "a\0"}, r"property 'name' is .* with a NUL character, which Postgres cannot store"),
    ({"geometry": {"type": "Point", "coordinates": [181, 0]}}, r"split it where it crosses 180 degrees"),
    ({"extra": {1: object()}}, r"property 'extra' cannot be written as JSON"),
    ({"geometry": {"type": "Blob"}}, r"property 'geometry' is .*, which is no GeoJSON geometry"),
    ({"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}, r"'geometry' is no valid Polygon"),
    (
        {"geometry": {"type": "Point", "coordinates": [0, 91]}},
        r"'geometry' reaches from 0.0, 91.0 to .* within 180 degrees of longitude",
    ),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[message[-40:] for _, message in BAD])
def test_a_bad_item_is_refused(change: dict[str, Any], message: str) -> None:
    """The error names number, id, property and reason, and no table comes of the good items beside it."""
    schema = Schema(
        DatasetKind.SPATIOTEMPORAL,
        (
            Field("cloud_cover", FieldType.DOUBLE),
            Field("orbit", FieldType.INT32),
            Field("online", FieldType.BOOL),
            Field("tags", FieldType.STRING, is_array=True),
            Field("seen", FieldType.TIMESTAMP),
            Field("extra", FieldType.JSON),
            Field("name", FieldType.STRING),
        ),
    )
    good = item_with(**{"eo:cloud_cover": 5, "orbit": 1, "online": True, "tags": ["a"], "seen": "2024-01-01"})
    bad = copy.deepcopy(good)
    for key, value in change.items():
        (bad if key in {"id", "type", "properties", "assets", "geometry"} else bad["properties"])[key] = value

    with pytest.raises(ArgumentError, match=message):
        stac.items_to_table([good, good, bad, good], schema, first_number=5)


def test_numbers_count_over_all_chunks(sentinel2_items: list[dict[str, Any]]) -> None:
    """The number in an error is that of the item in its source, and the garbage collector runs again after it."""
    items = sentinel2_items * 100
    items[1234] = {**items[1234], "geometry": 5}

    with pytest.raises(ArgumentError, match=rf"Item 1234 \('{items[1234]['id']}'\): property 'geometry' is '5'"):
        list(stac.read_tables(items, Schema(DatasetKind.SPATIOTEMPORAL)))
    assert gc.isenabled()


def test_what_is_no_item_is_refused() -> None:
    """A list of numbers is not read as items."""
    with pytest.raises(ArgumentError, match="Item 1 is '5', which is no STAC item"):
        stac.items_to_table([item_with(), 5], schema_of())


def test_items_and_records_of_the_same_values_have_the_same_bytes() -> None:
    """Ids are made of the table, and must not depend on the form in which a datapoint came."""
    values = {
        "name": "Zürich",
        "extra": {"b": ["é", 1e-7, 2.5e-09, 1e16, 1e22], "a": {"x": None, "e-7": "\\u0000 is no NUL"}},
        "seen": "2024-08-01T00:26:11.123456789Z",
        "place": {"type": "Point", "coordinates": [1, 2, 3]},
    }
    schema = schema_of(
        Field("name", FieldType.STRING),
        Field("extra", FieldType.JSON),
        Field("seen", FieldType.TIMESTAMP),
        Field("place", FieldType.GEOMETRY),
    )
    item = item_with(**values)

    from_items = stac.items_to_table([item], schema)

    from_records = to_table([{"time": item["properties"]["datetime"], **values}], schema)
    assert from_items.equals(from_records.combine_chunks())
