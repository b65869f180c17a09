"""Features that are no STAC items become datapoints, too."""

import json
from datetime import datetime
from pathlib import Path

import pytest
import shapely

from tilebox_celery.datasets import stac
from tilebox_celery.datasets.schema import FieldType
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
    with pytest.raises(ArgumentError, match=r"have night, power, seen\): name it with time="):
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
