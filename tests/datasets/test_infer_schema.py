"""The schema of a dataset is found from its data."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely
import xarray as xr

from tests.datasets.datapoint_tables import EVERY_TYPE, make_table
from tests.datasets.test_xarray_layout import FILLED
from tilebox_celery.datasets.incoming import infer_schema, to_table
from tilebox_celery.datasets.schema import DatasetKind, FieldType
from tilebox_celery.datasets.xarray_layout import to_xarray
from tilebox_celery.errors import ArgumentError

POINT = shapely.Point(11, 48)


@pytest.mark.parametrize(
    ("values", "field_type", "is_array"),
    [
        (["a", None], "string", False),
        ([b"a"], "bytes", False),
        ([True, None], "bool", False),
        ([1, None], "int64", False),
        ([1, 2.5], "double", False),
        ([1, 1 << 63], "uint64", False),
        ([float("nan"), 1], "int64", False),
        ([datetime(2024, 1, 1), np.datetime64(0, "ns")], "timestamp", False),
        ([timedelta(1)], "duration", False),
        ([UUID(int=1)], "uuid", False),
        ([POINT], "geometry", False),
        ([{"href": "x"}], "json", False),
        ([["a"], [], None], "string", True),
        ([[1, 2.5], (None,)], "double", True),
        ([[{"href": "x"}]], "json", False),
        ([[[1, 2]]], "json", False),
        (np.array([1], dtype="int16"), "int32", False),
        (np.array([1], dtype=">i8"), "int64", False),
        (np.array([1.0], dtype="float32"), "float", False),
        (np.array([[1.0, 2.0]]), "double", True),
        (np.array(["2024"], dtype="datetime64[ns]"), "timestamp", False),
        (np.array(["a"]), "enum", False),
        (pa.array(["a"]).dictionary_encode(), "enum", False),
        (pa.array([{"href": "x"}]), "json", False),
        (pa.array([[1], None], pa.list_(pa.int32())), "int32", True),
        (pa.array([UUID(int=1)], pa.uuid()), "uuid", False),
        (pa.array([7], pa.uint32()), "int64", False),
        (pa.array([7], pa.duration("s")), "duration", False),
        (pd.Series(["a"], dtype="category"), "enum", False),
        (pd.Series([1, None], dtype="Int64"), "int64", False),
    ],
)
def test_type_of_a_column(values: Any, field_type: str, is_array: bool) -> None:
    """3.7: the type of a field follows from its values, and the data fits into the schema that was found."""
    data = {"time": list(range(len(values))), "value": values}

    schema = infer_schema(data)

    assert (schema.by_name["value"].type, schema.by_name["value"].is_array) == (FieldType(field_type), is_array)
    assert schema.kind is DatasetKind.TEMPORAL
    assert to_table(data, schema).num_rows == len(values)


@pytest.mark.parametrize(
    "data",
    [
        gpd.GeoDataFrame({"time": ["2024"]}, geometry=[POINT]),
        [{"time": 0, "geometry": POINT.__geo_interface__}],
        pa.table({"time": [0], "geometry": [POINT.wkb]}),
    ],
)
def test_footprints_make_a_spatiotemporal_dataset(data: Any) -> None:
    """3.7: data with a geometry is spatiotemporal, unless the kind is given."""
    assert infer_schema(data).kind is DatasetKind.SPATIOTEMPORAL
    temporal = infer_schema(data, DatasetKind.TEMPORAL)
    assert temporal.by_name["geometry"].type is FieldType.GEOMETRY
    assert shapely.from_wkb(to_table(data, temporal)["geometry"][0].as_py()) == POINT


def test_a_loaded_dataset_keeps_its_types() -> None:
    """3.7: the schema of a loaded dataset has the types it was loaded by, wherever the layout tells them apart."""
    loaded = to_xarray(make_table([{"time": 0, **FILLED}, {"time": 1}]), EVERY_TYPE)

    found = infer_schema(loaded)

    assert {field.name: field.type for field in found.fields} == {
        name: EVERY_TYPE.by_name[name].type for name in loaded.data_vars
    }


def test_columns_without_values_are_left_out() -> None:
    """A column in which no row has a value makes no field, and does no harm."""
    data = [{"time": 0, "orbit": 1, "unknown": None, "none": []}, {"time": 1, "unknown": float("nan")}]

    schema = infer_schema(data)

    assert list(schema.by_name) == ["orbit"]
    assert to_table(data, schema)["orbit"].to_pylist() == [1, None]
    arrow = pa.table({"time": [0], "unknown": pa.nulls(1), "none": pa.array([[]], pa.list_(pa.int64()))})
    assert infer_schema(arrow).fields == ()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([{"time": 0, "value": 1}, {"time": 1, "value": "a"}], "'value' has values of different types: give"),
        ([{"time": 0, "value": 1j}], "'value' has the value 1j .complex., which no field can hold"),
        ([{"time": 0, "eo:cloud": 1}], "The field name 'eo:cloud' cannot be used"),
        ({"time": [0], "value": pa.array([1], pa.time32("s"))}, "has the Arrow type time32"),
        ({"value": [1]}, "The data has no 'time'"),
        (xr.Dataset({"value": ("x", [1])}), "no variable 'time'"),
    ],
)
def test_what_makes_no_schema_is_refused(data: Any, reason: str) -> None:
    """Values without a type in common and names that no field can have are refused with the column."""
    with pytest.raises(ArgumentError, match=reason):
        infer_schema(data)
