"""Features that are no STAC items become datapoints, too."""

import json
from datetime import datetime
from pathlib import Path

import pytest
import shapely

from tilebox_celery.datasets import stac
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.errors import ArgumentError

FIRES = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": 7,
            "geometry": {"type": "Point", "coordinates": [7.5, 51.25]},
            "properties": {"seen": "2024-08-01T12:00:00Z", "power": 12.5, "night": False},
        },
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [-7.5, 1]},
            "properties": {"seen": "2024-08-02T12:00:00Z", "power": 3, "night": True},
        },
    ],
}


def test_a_feature_collection_is_read_by_its_inferred_schema(tmp_path: Path) -> None:
    """Time, geometry and properties of a file come back."""
    path = tmp_path / "fires.geojson"
    path.write_text(json.dumps(FIRES))

    schema = stac.infer_geojson_schema(path, time="seen")
    table = stac.geojson_to_table(path, schema, time="seen")

    assert [(field.name, field.type) for field in schema.fields] == [
        ("geometry", FieldType.GEOMETRY),
        ("power", FieldType.DOUBLE),
        ("night", FieldType.BOOL),
    ]
    assert table.to_pylist()[1] == {
        "time": datetime(2024, 8, 2, 12),
        "geometry": shapely.to_wkb(shapely.Point(-7.5, 1)),
        "power": 3.0,
        "night": True,
    }


def test_an_unknown_time_is_asked_for() -> None:
    """The sentence says which properties there are."""
    with pytest.raises(ArgumentError, match=r"have night, power, seen\): call it 'time'"):
        stac.infer_geojson_schema(FIRES)


def test_a_bad_feature_is_named() -> None:
    """Its number, its id and the property stand in the sentence."""
    schema = stac.infer_geojson_schema(FIRES, time="seen")
    bad = {**FIRES["features"][0], "properties": {"power": 1}}

    with pytest.raises(ArgumentError, match=r"Item 1 \('7'\): property 'seen' is missing; correct"):
        stac.geojson_to_table([FIRES["features"][1], bad], schema, time="seen")


def test_no_features_are_an_empty_table() -> None:
    """The table has its columns all the same; a schema cannot be inferred."""
    schema = stac.infer_geojson_schema(FIRES, time="seen")

    table = stac.geojson_to_table([], schema)

    assert (table.num_rows, table.column_names) == (0, ["time", "geometry", "power", "night"])
    with pytest.raises(ArgumentError, match="holds no feature"):
        stac.infer_geojson_schema([])


def test_a_field_takes_the_property_of_its_name_and_no_other() -> None:
    """Names that mean something in STAC, such as assets, are names like all others in GeoJSON."""
    properties = {"date": "2024-08-01", "assets": {"a": 1}, "stac_id": "s", "granule_name": "g", "proj_epsg": 4326}
    feature = {"type": "Feature", "id": "other", "geometry": None, "properties": properties}
    bare = {"type": "Feature", "id": "other", "geometry": None, "properties": {"date": "2024-08-02"}}

    types = {"assets": FieldType.JSON, "proj_epsg": FieldType.INT64}
    fields = tuple(Field(name, types.get(name, FieldType.STRING)) for name in properties if name != "date")
    table = stac.geojson_to_table([feature, bare], Schema(DatasetKind.TEMPORAL, fields))

    names = ["assets", "stac_id", "granule_name", "proj_epsg"]
    assert table.select(names).to_pylist() == [
        {"assets": '{"a":1}', "stac_id": "s", "granule_name": "g", "proj_epsg": 4326},
        dict.fromkeys(names),
    ]


@pytest.mark.parametrize(
    ("crs", "is_degrees"),
    [
        (None, True),
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}, True),
        ({"type": "name", "properties": {"name": "EPSG:4326"}}, True),
        ({"type": "EPSG", "properties": {"code": 4326}}, True),
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}, False),
        ({"type": "EPSG", "properties": {"code": 32632}}, False),
        ({"type": "link", "properties": {"href": "http://example.com/crs"}}, False),
        ("EPSG:3857", False),
    ],
)
def test_other_coordinates_than_degrees_are_refused(crs: object, is_degrees: bool) -> None:
    """Some coordinates in metres look like degrees: what the file says of them counts."""
    schema = stac.infer_geojson_schema(FIRES, time="seen")

    if is_degrees:
        assert stac.geojson_to_table({**FIRES, "crs": crs}, schema, time="seen").num_rows == 2
        return
    with pytest.raises(ArgumentError, match=r"coordinates are not in degrees.*geopandas"):
        stac.geojson_to_table({**FIRES, "crs": crs}, schema, time="seen")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Programs on Windows begin files with one."""
    path = tmp_path / "fires.geojson"
    path.write_text(json.dumps(FIRES), encoding="utf-8-sig")

    assert len(stac.infer_geojson_schema(path, time="seen").fields) == 3


def test_a_property_without_a_field_is_refused_by_name() -> None:
    """It was left out without a word; one that is null everywhere says nothing, and is."""
    schema = Schema(
        DatasetKind.SPATIOTEMPORAL, (Field("geometry", FieldType.GEOMETRY), Field("power", FieldType.DOUBLE))
    )
    first = {**FIRES["features"][0], "properties": {"seen": "2024-08-01", "power": 1, "night": None}}

    assert stac.geojson_to_table([first], schema, time="seen").num_rows == 1
    with pytest.raises(
        ArgumentError, match=r"Item 1 \('1'\) has the property 'night', of which the dataset has no field"
    ):
        stac.geojson_to_table([first, FIRES["features"][1]], schema, time="seen")


def test_a_field_for_the_properties_takes_what_has_no_other() -> None:
    """So nothing is lost, and nothing is refused."""
    schema = Schema(DatasetKind.TEMPORAL, (Field("power", FieldType.DOUBLE), Field("properties", FieldType.JSON)))

    table = stac.geojson_to_table(FIRES, schema, time="seen")

    assert table["properties"].to_pylist() == ['{"night":false}', '{"night":true}']


def test_a_field_of_the_dataset_is_not_its_time() -> None:
    """A dataset may have a field `datetime` beside `time`, and its exports have both."""
    schema = Schema(DatasetKind.TEMPORAL, (Field("datetime", FieldType.TIMESTAMP),))
    properties = {"datetime": "2020-01-01T00:00:00", "time": "2024-08-01T00:00:00", "id": "x", "ingestion_time": "2025"}
    feature = {"type": "Feature", "geometry": None, "properties": properties}

    assert stac.geojson_to_table([feature], schema)["time"].to_pylist() == [datetime(2024, 8, 1)]
