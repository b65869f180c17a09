"""Datasets are laid out as the documents print them."""

import gc
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
import shapely
import xarray as xr
from hypothesis import given

from tests.datasets.datapoint_tables import ARRAYS, EVERY_TYPE, SCALARS, make_table, rows
from tilebox_celery.datasets.garbage import collector_paused
from tilebox_celery.datasets.incoming import to_table
from tilebox_celery.datasets.json_object import JsonObject
from tilebox_celery.datasets.schema import VECTOR_DIMENSIONS, DatasetKind, Field, FieldType, Schema
from tilebox_celery.datasets.xarray_layout import to_datapoint, to_xarray

POLYGON = shapely.box(10, 40, 12, 42)
FILLED: dict[str, Any] = {
    "one_string": "S1A_IW",
    "one_bytes": b"\0\1",
    "one_bool": True,
    "one_int32": -7,
    "one_int64": 1 << 40,
    "one_uint64": 1 << 63,
    "one_float": 0.5,
    "one_double": 12.25,
    "one_timestamp": 1722470401362000001,
    "one_duration": 1500000001,
    "one_uuid": UUID("01910b3c-8552-7671-3345-b902cc0813f3").bytes,
    "one_enum": "L2",
    "one_geometry": POLYGON.wkb,
    "one_latlon": [41.0, 11.0],
    "one_latlonalt": [41.0, 11.0, 700.0],
    "one_vec3": [1.0, 2.0, 3.0],
    "one_quaternion": [0.0, 0.0, 0.0, 1.0],
    "one_json": '{"href":"s3://x"}',
}
LAYOUT = [
    ("string", "object", (), "S1A_IW", None),
    ("bytes", "object", (), b"\0\1", None),
    ("bool", "bool", (), True, False),
    ("int32", "int32", (), -7, 0),
    ("int64", "int64", (), 1 << 40, 0),
    ("uint64", "uint64", (), 1 << 63, 0),
    ("float", "float32", (), 0.5, np.nan),
    ("double", "float64", (), 12.25, np.nan),
    ("timestamp", "datetime64[ns]", (), np.datetime64(1722470401362000001, "ns"), np.datetime64("NaT")),
    ("duration", "timedelta64[ns]", (), np.timedelta64(1500000001, "ns"), np.timedelta64("NaT")),
    ("uuid", "<U36", (), "01910b3c-8552-7671-3345-b902cc0813f3", ""),
    ("enum", "<U2", (), "L2", ""),
    ("geometry", "object", (), POLYGON, None),
    ("latlon", "float64", ("latlon",), [41.0, 11.0], [np.nan] * 2),
    ("latlonalt", "float64", ("lat_lon_alt",), [41.0, 11.0, 700.0], [np.nan] * 3),
    ("vec3", "float64", ("vec3",), [1.0, 2.0, 3.0], [np.nan] * 3),
    ("quaternion", "float64", ("quaternion",), [0.0, 0.0, 0.0, 1.0], [np.nan] * 4),
    ("json", "object", (), {"href": "s3://x"}, None),
]


def dataset_of(*fields: Field, **columns: list[Any]) -> xr.Dataset:
    """Return a dataset of these fields, its rows a millisecond apart."""
    schema = Schema(DatasetKind.TEMPORAL, fields)
    count = len(next(iter(columns.values())))
    values = [{"time": row} | {name: column[row] for name, column in columns.items()} for row in range(count)]
    return to_xarray(make_table(values, schema), schema)


@pytest.mark.parametrize(("name", "dtype", "dimensions", "filled", "absent"), LAYOUT)
@pytest.mark.clause(
    "d1.5-1",
    "d1.5-2",
    "d1.5-3",
    "d1.5-4",
    "d1.5-5",
    "d1.5-6",
    "d1.5-7",
    "d1.5-8",
    "d1.5-9",
    "d1.5-10",
    "d1.5-11",
    "d1.5-14",
    "d1.5-15",
)
def test_layout_of_each_type(name: str, dtype: str, dimensions: tuple[str, ...], filled: Any, absent: Any) -> None:
    """1.5: each type of field has its dtype, its dimensions and its own absent value, and no attributes."""
    dataset = to_xarray(make_table([{"time": 0, **FILLED}, {"time": 1}]), EVERY_TYPE)
    variable = dataset[f"one_{name}"]

    assert str(variable.dtype) == dtype
    assert variable.dims == ("time", *dimensions)
    found = variable.values[0]
    found = dict(found) if isinstance(found, JsonObject) else found
    np.testing.assert_equal(found, np.array(filled) if dimensions else filled)
    np.testing.assert_equal(variable.values[1], np.array(absent) if dimensions else absent)
    assert variable.attrs == dataset.attrs == {}


def test_layout_covers_every_type() -> None:
    """1.5: no type of field is without a layout."""
    assert {f"one_{name}" for name, *_ in LAYOUT} == {field.name for field in SCALARS}


@pytest.mark.clause("d1.4-2", "d1.5-10", "d1.5-11")
def test_coordinates_of_vectors() -> None:
    """1.5: the inner dimensions of vectors have their labels as coordinates."""
    dataset = to_xarray(make_table([{"time": 0, **FILLED}]), EVERY_TYPE)

    for dimension, labels in VECTOR_DIMENSIONS.values():
        assert tuple(dataset[dimension].values) == labels
    assert dataset.latlon.dtype == "<U9"


@pytest.mark.clause("d1.4-1", "d1.5-5")
def test_metadata_of_a_datapoint() -> None:
    """1.4: the coordinates are ingestion_time, id and time in this order; fields follow the schema."""
    dataset = to_xarray(make_table([{"time": 1722470401362, **FILLED}]), EVERY_TYPE)

    assert list(dataset.coords)[:3] == ["ingestion_time", "id", "time"]
    assert list(dataset.data_vars) == [field.name for field in SCALARS]
    assert str(dataset.time.dtype) == str(dataset.ingestion_time.dtype) == "datetime64[ns]"
    assert dataset.time.values[0] == np.datetime64("2024-08-01T00:00:01.362")
    assert dataset.id.values.tolist() == ["00000000-0000-0000-0000-000000000001"]
    assert dataset.id.dtype == "<U36"


@pytest.mark.clause("d1.4-3")
def test_skip_data() -> None:
    """1.4: skip_data leaves the coordinates only, without those of vectors: 160 bytes a row."""
    table = make_table([{"time": 0, **FILLED}, {"time": 1}])

    dataset = to_xarray(table.select(["time", "id", "ingestion_time"]), EVERY_TYPE, skip_data=True)

    assert dataset.nbytes == 320
    assert "Data variables:\n    *empty*" in repr(dataset)
    assert dict(dataset.sizes) == {"time": 2}
    whole = to_xarray(table, EVERY_TYPE)
    assert dataset.identical(whole.drop_vars([*whole.data_vars, *dict(VECTOR_DIMENSIONS.values())]))


@pytest.mark.parametrize("skip_data", [False, True])
@pytest.mark.clause("d1.4-8")
def test_no_rows(skip_data: bool) -> None:
    """1.4: an empty result has no dimension and no variable."""
    dataset = to_xarray(make_table([]), EVERY_TYPE, skip_data)

    assert dataset.identical(xr.Dataset())
    assert "time" not in dataset


@pytest.mark.clause("d1.4-7")
def test_one_datapoint_has_no_time_dimension() -> None:
    """1.1, 1.4: find returns scalars: time, id and ingestion_time have no dimension, the inner ones stay."""
    dataset = to_datapoint(make_table([{"time": 1, **FILLED}]), EVERY_TYPE)

    assert "time" not in dataset.dims
    assert dataset.time.shape == dataset.id.shape == dataset.ingestion_time.shape == ()
    assert dataset.one_latlon.dims == ("latlon",)
    assert dataset.one_geometry.item() == POLYGON
    assert to_datapoint(make_table([{"time": 1}]), EVERY_TYPE, skip_data=True).nbytes == 160


@pytest.mark.clause("d1.5-12")
def test_arrays_are_padded() -> None:
    """1.5: an array has a dimension n_<field> without coordinate, padded at the end to the longest row."""
    dataset = dataset_of(
        Field("bands", FieldType.STRING, is_array=True),
        Field("gains", FieldType.FLOAT, is_array=True),
        Field("seen", FieldType.TIMESTAMP, is_array=True),
        Field("levels", FieldType.ENUM, is_array=True),
        bands=[["B1"], ["B2", "B3"], None],
        gains=[[], [0.5], None],
        seen=[None, [7, 8, 9], [1]],
        levels=[["L1", "L2"], [], None],
    )

    assert dataset.bands.values.tolist() == [["B1", None], ["B2", "B3"], [None, None]]
    assert dataset.bands.dims == ("time", "n_bands")
    np.testing.assert_equal(dataset.gains.values, np.array([[np.nan], [0.5], [np.nan]], dtype="float32"))
    assert np.isnat(dataset.seen.values).sum() == 5
    assert dataset.levels.dtype == "<U2"
    assert dataset.levels.values.tolist() == [["L1", "L2"], ["", ""], ["", ""]]
    assert set(dataset.coords) == {"time", "id", "ingestion_time"}


@pytest.mark.clause("d1.5-13")
def test_an_array_that_is_empty_everywhere_is_dropped() -> None:
    """1.5: an array field without any element is no variable."""
    dataset = dataset_of(
        Field("bands", FieldType.STRING, is_array=True), Field("orbit", FieldType.INT64), bands=[[], None], orbit=[1, 2]
    )

    assert list(dataset.data_vars) == ["orbit"]
    assert dict(dataset.sizes) == {"time": 2}


@pytest.mark.clause("d1.5-13")
def test_arrays_share_a_dimension() -> None:
    """1.5: arrays of equal length share a dimension if the name of one extends the other's."""
    fields = [Field(name, FieldType.INT64, is_array=True) for name in ("metric_count", "metrics", "others")]

    together = dataset_of(*fields, metric_count=[[1, 2]], metrics=[[3, 4]], others=[[5, 6]])
    apart = dataset_of(*fields, metric_count=[[1]], metrics=[[3, 4]], others=[[5, 6]])

    assert together.metrics.dims == together.metric_count.dims == ("time", "n_metrics")
    assert together.others.dims == ("time", "n_others")
    assert apart.metric_count.dims == ("time", "n_metric_count")


def test_slices_of_a_table() -> None:
    """A slice of a table loads as the same rows of the whole do."""
    table = make_table([{"time": row, **FILLED, "one_vec3": [row, 1.0, 2.0]} for row in range(3)] + [{"time": 4}])
    whole = to_xarray(table, EVERY_TYPE)

    xr.testing.assert_identical(to_xarray(table.slice(1, 2), EVERY_TYPE), whole.isel(time=slice(1, 3)))


@pytest.mark.clause("d1.5-8")
def test_text_is_shared_and_as_wide_as_needed() -> None:
    """1.5: an enum is as wide as its longest name, over all chunks and however Arrow encodes it."""
    field = Field("level", FieldType.ENUM)
    table = pa.concat_tables(
        [make_table([{"time": row, "level": name}], Schema(DatasetKind.TEMPORAL, (field,))) for row, name in
         enumerate(["L1", "LEVEL2", None])]
    )  # fmt: skip
    encoded = table.set_column(3, "level", table["level"].cast(pa.dictionary(pa.int32(), pa.string())))

    for each in (table, encoded):
        values = to_xarray(each, Schema(DatasetKind.TEMPORAL, (field,))).level
        assert values.dtype == "<U6"
        assert values.values.tolist() == ["L1", "LEVEL2", ""]
    unknown = dataset_of(field, level=[None, None])
    assert unknown.level.values.tolist() == ["", ""]


def test_repeated_text_is_made_once() -> None:
    """Many rows with few texts share them, and many different texts come back all the same."""
    count = 70_000
    dataset = dataset_of(
        Field("mode", FieldType.STRING),
        Field("name", FieldType.STRING),
        mode=["IW", None] * (count // 2),
        name=[str(row) for row in range(count)],
    )

    assert len({id(each) for each in dataset.mode.values[:65_536]}) == 2
    assert dataset.mode.values[:2].tolist() == ["IW", None]
    assert dataset.name.values.tolist() == [str(row) for row in range(count)]


def test_the_collector_goes_on_after_the_last_pause() -> None:
    """The garbage collector is left as it was found, also when pauses nest or fail."""
    with pytest.raises(ValueError, match="inner"), collector_paused():
        with collector_paused():
            pass
        assert not gc.isenabled()
        raise ValueError("inner")

    assert gc.isenabled()


@pytest.mark.clause("d1.4-11")
def test_everyday_uses() -> None:
    """1.4: nearest selection, dropping of duplicates in time and concatenation work on a loaded dataset."""
    dataset = to_xarray(make_table([{"time": each, **FILLED} for each in (0, 1000, 1000, 5000)]), EVERY_TYPE)
    unique = dataset.drop_duplicates("time")

    assert dict(unique.sizes)["time"] == 3
    assert unique.sel(time=datetime(1970, 1, 1, 0, 0, 4), method="nearest").time == np.datetime64(5, "s")
    assert xr.concat([dataset, dataset], dim="time").sizes["time"] == 8
    assert dataset.isel(time=[2, 0]).one_geometry.values[0] == POLYGON


@pytest.mark.clause("d1.4-10")
def test_netcdf(tmp_path: Path) -> None:
    """1.4: a dataset without geometries goes to NetCDF and back; an absent text is an empty one there."""
    table = make_table([{"time": 0, **FILLED}, {"time": 1}])
    no_netcdf = ["one_geometry", "one_json", "one_bytes"]
    dataset = to_xarray(table, EVERY_TYPE).drop_vars(no_netcdf)

    dataset.to_netcdf(tmp_path / "points.nc")

    with xr.open_dataset(tmp_path / "points.nc", decode_timedelta=True) as file:
        loaded = file.load()
    assert loaded.one_string.values.tolist() == ["S1A_IW", ""]
    assert loaded.id.values.tolist() == dataset.id.values.tolist()
    others = [name for name in dataset.data_vars if dataset[name].dtype.kind not in "OU"]
    xr.testing.assert_equal(loaded[others].drop_vars("id"), dataset[others].drop_vars("id"))


@pytest.mark.clause("d1.4-10")
def test_netcdf_of_geometries(tmp_path: Path) -> None:
    """1.4: xarray refuses to write geometries to NetCDF; written as WKT they come back, and can be ingested."""
    schema = Schema(DatasetKind.SPATIOTEMPORAL)
    table = make_table([{"time": 0, "geometry": FILLED["one_geometry"]}, {"time": 1}], schema)
    dataset = to_xarray(table, schema)

    with pytest.raises((TypeError, ValueError), match="geometry"):
        dataset.to_netcdf(tmp_path / "points.nc")
    as_text = dataset.assign(geometry=("time", shapely.to_wkt(dataset.geometry.values, rounding_precision=-1)))
    as_text.to_netcdf(tmp_path / "text.nc")

    assert to_table(tmp_path / "text.nc", schema).equals(table.drop_columns(["id", "ingestion_time"]))


@given(rows())
def test_values_of_any_row(values: list[dict[str, Any]]) -> None:
    """1.5: whatever the rows hold, each value stands at its place, and the fill elsewhere."""
    dataset = to_xarray(make_table(values), EVERY_TYPE)

    for row, expected in enumerate(values):
        for name, field_type in (("one_string", str), ("one_bytes", bytes)):
            assert dataset[name].values[row] == expected[name]
            assert isinstance(dataset[name].values[row], field_type | None)
        assert dataset.one_int64.values[row] == (expected["one_int64"] or 0)
        assert dataset.one_uuid.values[row] == (str(UUID(bytes=expected["one_uuid"])) if expected["one_uuid"] else "")
        assert dataset.one_json.values[row] == (json.loads(expected["one_json"]) if expected["one_json"] else None)
    for field in ARRAYS:
        longest = max((len(row[field.name] or []) for row in values), default=0)
        assert (field.name in dataset) == (longest > 0)
        if longest:
            assert dataset[field.name].shape == (len(values), longest)
