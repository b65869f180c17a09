"""Bad data is refused in one sentence that names the row, the field and the reason."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely
import xarray as xr

from tests.datasets.datapoint_tables import EVERY_TYPE
from tilebox_celery.datasets.incoming import to_table
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.errors import ArgumentError

BAD_VALUES = [
    ("one_string", 7, "expected a text, but got 7 (int)"),
    ("one_string", b"x", "expected a text, but got b'x' (bytes)"),
    ("one_string", "a\0b", "NUL character"),
    ("one_string", "\ud800", "surrogates not allowed"),
    ("one_enum", 1.5, "expected a text"),
    ("one_bytes", "x", "expected bytes, but got 'x' (str)"),
    ("one_bool", 1, "expected True or False, but got 1 (int)"),
    ("one_bool", "yes", "expected True or False"),
    ("one_int32", 1 << 31, "2147483648 lies outside -2147483648 to 2147483647, which int32 holds"),
    ("one_int32", 1.5, "expected a whole number, but got 1.5"),
    ("one_int64", True, "expected a whole number, but got True (bool)"),
    ("one_int64", "7", "expected a whole number, but got '7' (str)"),
    ("one_int64", float("inf"), "infinity"),
    ("one_int64", 1 << 63, "which int64 holds"),
    ("one_uint64", -1, "which uint64 holds"),
    ("one_float", 1e300, "too large for float: make the field a double"),
    ("one_double", "high", "expected a number, but got 'high' (str)"),
    ("one_double", True, "expected a number, but got True (bool)"),
    ("one_double", 10**400, "too large"),
    ("one_timestamp", "yesterday", "The time 'yesterday' cannot be read"),
    ("one_timestamp", datetime(2500, 1, 1), "beyond the 292 years"),
    ("one_timestamp", np.datetime64("2500-01-01", "D"), "beyond the 292 years"),
    ("one_timestamp", True, "cannot be read"),
    ("one_duration", "1 day", "expected a timedelta or a number of seconds"),
    ("one_duration", np.timedelta64(10**6, "D"), "beyond the 292 years"),
    ("one_uuid", "not-a-uuid", "expected a UUID, but got 'not-a-uuid' (str)"),
    ("one_uuid", 7, "expected a UUID"),
    ("one_geometry", "here", "'here' is no geometry"),
    ("one_geometry", 7, "pass a shapely geometry, WKB, WKT or GeoJSON"),
    ("one_geometry", b"\1\2", "is no geometry"),
    ("one_geometry", {"type": "Nothing"}, "is no geometry"),
    ("one_geometry", shapely.Point(200, 10), "the longitude 200 and the latitude 10"),
    ("one_geometry", shapely.Point(10, 91), "which must lie within 180 and 90 degrees"),
    ("one_geometry", shapely.Point(500000, 4649776), "reproject it"),
    ("one_geometry", shapely.Point(float("nan"), 4), "longitude nan"),
    ("one_latlon", [91, 0], "the latitude 91 and the longitude 0 must lie within 90 and 180 degrees"),
    ("one_latlon", [1, float("nan")], "must lie within"),
    ("one_latlon", [1, 2, 3], "expected 2 numbers (latitude, longitude), but got [1, 2, 3]"),
    ("one_latlonalt", [0, 181, 5], "must lie within"),
    ("one_vec3", "xyz", "expected 3 numbers (x, y, z)"),
    ("one_vec3", [1, 2, "3"], "expected a number, but got '3' (str)"),
    ("one_quaternion", 7, "expected 4 numbers"),
    ("one_json", {"at": datetime(2024, 1, 1)}, "is not JSON"),
    ("one_json", [float("nan")], "is not JSON"),
    ("one_json", {"text": "a\0"}, "NUL character"),
    ("all_string", "abc", "expected a list, but got 'abc' (str)"),
    ("all_int32", [1, "2"], "expected a whole number, but got '2' (str)"),
    ("all_geometry", [shapely.Point(0, 0), shapely.Point(0, 99)], "the latitude 99"),
]
PRECISE = pd.Timestamp("2024-08-01T00:00:00.123456789")
GOOD: dict[str, Any] = {
    "string": "x",
    "enum": "x",
    "bytes": b"x",
    "bool": True,
    "timestamp": "2024-01-01",
    "duration": 5,
    "uuid": "",
    "geometry": shapely.Point(0, 0),
    "json": {},
}


@pytest.mark.parametrize(("name", "bad", "reason"), BAD_VALUES)
def test_a_bad_value_names_its_place(name: str, bad: Any, reason: str) -> None:
    """A value that does not fit its field is refused with the number of its row, the field and the reason."""
    field = EVERY_TYPE.by_name[name]
    good = GOOD.get(field.type)
    records = [
        {"time": 0, name: [good, good] if field.is_array and good is not None else good if not field.is_array else None}
    ]

    with pytest.raises(ArgumentError) as refusal:
        to_table([*records, {"time": 1}, {"time": 2, name: bad}], EVERY_TYPE)

    assert str(refusal.value).startswith(f"Row 2, field {name!r}: ")
    assert reason in str(refusal.value)
    assert str(refusal.value).endswith(".")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "column", "reason"),
    [
        ("one_string", pa.array([None, 7]), "expected a text, but got 7"),
        ("one_int32", pd.Series([1.0, 2.5]), "expected a whole number, but got 2.5"),
        ("one_int32", np.array([1, 1 << 40]), "which int32 holds"),
        ("one_bool", np.array([1, 0]), "expected True or False, but got 1"),
        ("one_float", np.array([1.0, -1e39]), "too large for float"),
        ("one_uuid", np.array(["01910b3c-8552-7671-3345-b902cc0813f3", "x" * 36]), "expected a UUID"),
        ("one_timestamp", np.array(["2024", "2600"], dtype="datetime64[s]"), "beyond the 292 years"),
        ("one_timestamp", np.array([0, 2**62], dtype="datetime64[s]"), "beyond the 292 years"),
        ("one_timestamp", np.array([0, 2**50], dtype="datetime64[Y]"), "beyond the 292 years"),
        ("one_timestamp", pa.array([0, -(2**62)], pa.timestamp("us")), "beyond the 292 years"),
        ("one_duration", np.array([0, 2**62], dtype="timedelta64[s]"), "beyond the 292 years"),
        ("one_duration", [timedelta(0), np.timedelta64(2**62, "s")], "beyond the 292 years"),
        ("all_int32", [[1], np.array(2)], "expected a list"),
        ("one_json", pa.array(["{}", "{"]), "'{' is no JSON text"),
        ("one_vec3", np.zeros((2, 2)), "expected 3 numbers"),
        ("one_vec3", pa.array([[1.0, 2.0, 3.0], [1.0]]), "expected 3 numbers"),
        ("one_geometry", pa.array([None, b"nothing"]), "is no geometry"),
        ("all_int32", pa.array([[1], [2, 1 << 40]]), "which int32 holds"),
        ("all_string", pa.array([1, 2]), "expected a list, but got 1 (int)"),
        ("all_bool", np.array([[True, False], [False, True]]).astype(object) * 2, "expected True or False, but got 2"),
    ],
)
def test_a_bad_value_in_an_array_names_its_place(name: str, column: Any, reason: str) -> None:
    """Whole arrays are refused with the same sentence as single values."""
    with pytest.raises(ArgumentError) as refusal:
        to_table({"time": [0, 1], name: column}, EVERY_TYPE)

    assert reason in str(refusal.value)
    assert str(refusal.value).startswith(("Row 0, ", "Row 1, "))


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (None, "Row 1, field 'time': the time is missing"),
        (float("nan"), "the time is missing"),
        (pd.NaT, "the time is missing"),
        ("never", "Row 1, field 'time': The time 'never' cannot be read"),
        (-1, "Row 1, field 'time': 1969-12-31 23:59:59.* lies before 1970"),
        (datetime(2400, 1, 1), "beyond the 292 years"),
        (np.datetime64(2**62, "s"), "beyond the 292 years"),
    ],
)
def test_a_bad_time_names_its_row(time: Any, reason: str) -> None:
    """A missing time, no time, and one that no id can hold are refused."""
    with pytest.raises(ArgumentError, match=reason):
        to_table([{"time": 0}, {"time": time}], Schema(DatasetKind.TEMPORAL))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([{"time": 0, "one_strnig": "x"}], "The dataset has no field 'one_strnig': leave it out or add the field"),
        ([{"one_string": "x"}], "Row 0, field 'time': the time is missing"),
        ({"one_string": ["x"]}, "The data has no 'time', which every datapoint needs; it has one_string"),
        (pd.DataFrame({"one_string": ["x"]}), "The data has no 'time'"),
        (xr.Dataset({"one_string": ("x", ["a"])}), "The dataset has no variable 'time'"),
        (
            xr.Dataset({"one_int32": 7, "one_int64": ("time", [1])}, {"time": [0]}),
            "'one_int32' has no dimension 'time'",
        ),
        ({"time": [0, 1], "one_string": ["x"]}, "The column 'one_string' has 1 values, but 'time' has 2"),
        ({"time": 0, "one_string": "x"}, "to ingest a single record, wrap it in a list"),
        ([{"time": 0}, ("time", 0)], "Row 1 is .* not a record"),
        (pd.DataFrame([[0, 1, 2]], columns=["time", "one_int32", "one_int32"]), "'one_int32' is there 2 times"),
        (
            pa.Table.from_arrays([pa.array([0])] * 3, ["time", "one_int32", "one_int32"]),
            "The column 'one_int32' is there 2 times",
        ),
        (7, "Cannot read datapoints from 7 .int.: pass records"),
        (np.zeros(3), "Cannot read datapoints"),
        ("missing.parquet", "There is no file 'missing.parquet'"),
    ],
)
def test_data_without_the_right_columns_is_refused(data: Any, reason: str) -> None:
    """Unknown fields, columns of different lengths, data without time and things that hold no data are refused."""
    with pytest.raises(ArgumentError, match=reason):
        to_table(data, EVERY_TYPE)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.csv", "read it by pandas.read_csv and pass the frame"),
        ("a.gpkg", "read it by geopandas"),
        ("a.parquet", "is no Parquet file"),
        ("a.nc", "cannot be read as NetCDF: install"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    """A file that is not what its name says is refused with its path."""
    (tmp_path / name).write_text("no such data")

    with pytest.raises(ArgumentError, match=reason):
        to_table(tmp_path / name, EVERY_TYPE)


@pytest.mark.parametrize("name", ["latlon", "quaternion", "vec3", "lat_lon_alt"])
def test_dimensions_cannot_be_fields(name: str) -> None:
    """A field named like a dimension of loaded datasets could not be loaded beside it, and is refused."""
    with pytest.raises(ArgumentError, match="is taken by the dimension"):
        Field(name, FieldType.DOUBLE)
    with pytest.raises(ArgumentError, match="'n_bands' is taken by the dimension of 'bands'"):
        Schema(
            DatasetKind.TEMPORAL,
            (Field("bands", FieldType.STRING, is_array=True), Field("n_bands", FieldType.INT64)),
        )


@pytest.mark.parametrize(
    ("field_type", "value", "stored"),
    [
        (FieldType.INT32, 7.0, 7),
        (FieldType.INT32, Decimal(7), 7),
        (FieldType.UINT64, (1 << 64) - 1, (1 << 64) - 1),
        (FieldType.DOUBLE, Decimal("1.5"), 1.5),
        (FieldType.DOUBLE, float("inf"), float("inf")),
        (FieldType.BYTES, bytearray(b"x"), b"x"),
        (FieldType.STRING, "", ""),
        (FieldType.ENUM, "", None),
        (FieldType.TIMESTAMP, date(2024, 8, 1), pd.Timestamp("2024-08-01")),
        (FieldType.TIMESTAMP, "2024-08-01T00:00:00.123456789Z", PRECISE),
        (FieldType.TIMESTAMP, PRECISE, PRECISE),
        (FieldType.TIMESTAMP, np.datetime64(5, "ns"), pd.Timestamp(5)),
        (FieldType.DURATION, 1.5, pd.Timedelta(1.5, "s")),
        (FieldType.DURATION, pd.Timedelta(7, "ns"), pd.Timedelta(7, "ns")),
        (FieldType.DURATION, np.timedelta64(2, "h"), pd.Timedelta(2, "h")),
        (FieldType.UUID, "01910B3C855276713345b902cc0813f3", bytes.fromhex("01910b3c855276713345b902cc0813f3")),
        (FieldType.JSON, "text", '"text"'),
        (FieldType.JSON, {"b": [1, None], "a": "\\u0000"}, '{"a":"\\\\u0000","b":[1,null]}'),
        (FieldType.VEC3, np.array([1, 2, 3]), [1.0, 2.0, 3.0]),
        (FieldType.LATLON, (None, None), None),
    ],
)  # fmt: skip
def test_values_in_other_forms(field_type: FieldType, value: Any, stored: Any) -> None:
    """What means a value of the field, in a form of its own, is taken as such."""
    schema = Schema(DatasetKind.TEMPORAL, (Field("value", field_type),))

    table = to_table([{"time": 0, "value": value}, {"time": 1}], schema)

    assert table["value"].to_pylist() == [stored, None]
